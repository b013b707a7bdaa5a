/*
 * The report of the main process: the lines below its end sentence.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_REPORT_H
#define EPITAPH_REPORT_H

#include "record.h"

/* Appends to r->details and the fields: signals, threads, ports, output, children, memory. What
 * cannot be known is left out. `exits`: as for output_describe. `brief`: a short life that ended
 * well and used no socket: its ports and its control group, which cost the most, are not looked at.
 * AS-safe. */
void report_describe(struct record *r, bool exits, bool brief);

#endif
