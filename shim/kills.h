/*
 * Signals that this process sent to others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_KILLS_H
#define EPITAPH_KILLS_H

#include <stdbool.h>

/* Whether this process sent that process (or its group, or everybody) that signal, among the last
 * sixteen that it sent. AS-safe. */
bool kills_sent(int pid, int sig);

#endif
