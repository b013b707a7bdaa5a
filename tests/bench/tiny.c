/*
 * The least that a C program can do: what is measured is the loader, libc and the shim.
 *
 * SPDX-License-Identifier: MIT
 */
int main(void)
{
	return 0;
}
