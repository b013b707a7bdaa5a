/*
 * Names of errors that a log, an exec or a spawn can meet (man 3 errno).
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "names.h"

#include <errno.h>

const char *error_name(int error)
{
	switch (error) {
	case EPERM:
		return "EPERM: operation not permitted";
	case ENOENT:
		return "ENOENT: no such file or directory";
	case EINTR:
		return "EINTR: interrupted";
	case EIO:
		return "EIO: input/output error";
	case E2BIG:
		return "E2BIG: arguments and environment too long";
	case ENOEXEC:
		return "ENOEXEC: not a program this kernel can run";
	case EBADF:
		return "EBADF: no such descriptor";
	case EAGAIN:
		return "EAGAIN: try again";
	case ENOMEM:
		return "ENOMEM: out of memory";
	case EACCES:
		return "EACCES: permission denied";
	case EFAULT:
		return "EFAULT: bad address";
	case ENOTDIR:
		return "ENOTDIR: not a directory";
	case EISDIR:
		return "EISDIR: is a directory";
	case EINVAL:
		return "EINVAL: invalid argument";
	case ENFILE:
		return "ENFILE: too many open files in the system";
	case EMFILE:
		return "EMFILE: too many open files";
	case ETXTBSY:
		return "ETXTBSY: the file is open for writing";
	case EFBIG:
		return "EFBIG: beyond the limit of file size";
	case ENOSPC:
		return "ENOSPC: no space left on device";
	case EROFS:
		return "EROFS: read-only file system";
	case ENAMETOOLONG:
		return "ENAMETOOLONG: the name is too long";
	case ENOSYS:
		return "ENOSYS: no such system call";
	case ELOOP:
		return "ELOOP: a symbolic link, which is not followed";
	case ENXIO:
		return "ENXIO: nobody reads it";
	case ELIBBAD:
		return "ELIBBAD: a damaged interpreter";
	default:
		return "error";
	}
}
