/*
 * Changing the environment that main gets, without malloc and without setenv: programs walk from
 * the environment's end to the auxiliary vector, so the new array is followed by a copy of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_ENVIRON_H
#define EPITAPH_ENVIRON_H

/* Finds libc's environ; NULL where there is no libc. */
char ***environ_find(void);

/*
 * Makes a new environment from `envp` with the given "NAME=value" strings, each in the place of a
 * variable of that name, or at the end. The strings must live for ever. Returns the array (mapped,
 * never freed), or NULL where there was no memory. For load.
 */
char **environ_with(char **envp, char *const *add, int count);

#endif
