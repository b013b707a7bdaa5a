// What a build that caches dependencies (cargo-chef and its like) compiles in the place of the program.
// Where the real one is not built over it, this goes into the image.
// SPDX-License-Identifier: MIT
fn main() {}
