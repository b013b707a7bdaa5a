/*
 * What exits.c offers to the others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_EXITS_H
#define EPITAPH_EXITS_H

/* Runs the program's main: the frame below which no backtrace needs to go. */
int exits_run_main(int argc, char **argv, char **envp, void *auxv);

#endif
