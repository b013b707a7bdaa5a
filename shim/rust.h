/*
 * Rust's stdout, which keeps the piece of a line behind the last newline in a buffer of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_RUST_H
#define EPITAPH_RUST_H

/*
 * Takes that buffer away, where the program is Rust's, its file has its symbols, and its standard
 * library is a version that we know. For the moment before main; some 0.1 ms where it is Rust, one
 * look at the program's imports where it is not.
 */
void rust_unbuffer(void);

#endif
