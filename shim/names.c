/*
 * Names of errors that a log, an exec, an open or a socket can meet (man 3 errno, getaddrinfo), of
 * signals (man 7 signal) and of the codes that tell why one was sent (man 2 sigaction).
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "names.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

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
	case EEXIST:
		return "EEXIST: it is there already";
	case ENODEV:
		return "ENODEV: no such device";
	case EBUSY:
		return "EBUSY: the device or resource is busy";
	case EPIPE:
		return "EPIPE: nobody reads it any more";
	case EDQUOT:
		return "EDQUOT: the quota of disk space is used up";
	case ESTALE:
		return "ESTALE: the file is gone from its server";
	case EOVERFLOW:
		return "EOVERFLOW: too large for the type";
	case ENOTSOCK:
		return "ENOTSOCK: not a socket";
	case EOPNOTSUPP:
		return "EOPNOTSUPP: operation not supported";
	case EPROTOTYPE:
		return "EPROTOTYPE: the wrong type of socket";
	case EPROTONOSUPPORT:
		return "EPROTONOSUPPORT: protocol not supported";
	case EAFNOSUPPORT:
		return "EAFNOSUPPORT: address family not supported";
	case EADDRINUSE:
		return "EADDRINUSE: address already in use";
	case EADDRNOTAVAIL:
		return "EADDRNOTAVAIL: no such address on this machine";
	case ENETDOWN:
		return "ENETDOWN: the network is down";
	case ENETUNREACH:
		return "ENETUNREACH: network unreachable";
	case EHOSTUNREACH:
		return "EHOSTUNREACH: no route to host";
	case EHOSTDOWN:
		return "EHOSTDOWN: the host is down";
	case ECONNREFUSED:
		return "ECONNREFUSED: connection refused";
	case ECONNRESET:
		return "ECONNRESET: connection reset by peer";
	case ECONNABORTED:
		return "ECONNABORTED: connection aborted";
	case ETIMEDOUT:
		return "ETIMEDOUT: timed out";
	case ENOTCONN:
		return "ENOTCONN: not connected";
	case EISCONN:
		return "EISCONN: connected already";
	case EALREADY:
		return "EALREADY: under way already";
	case EDESTADDRREQ:
		return "EDESTADDRREQ: no address given";
	case ENOBUFS:
		return "ENOBUFS: no room for buffers";
	default:
		return "error";
	}
}

/* By number: glibc shows some of the names only to those who ask, musl has not all. */
const char *lookup_error_name(int error)
{
	switch (error) {
	case -1:
		return "EAI_BADFLAGS: invalid flags";
	case -2:
		return "EAI_NONAME: name or service not known";
	case -3:
		return "EAI_AGAIN: temporary failure in name resolution";
	case -4:
		return "EAI_FAIL: the name server failed for good";
	case -5:
		return "EAI_NODATA: the name has no address";
	case -6:
		return "EAI_FAMILY: address family not supported";
	case -7:
		return "EAI_SOCKTYPE: type of socket not supported";
	case -8:
		return "EAI_SERVICE: service not known";
	case -9:
		return "EAI_ADDRFAMILY: no address of that family";
	case -10:
		return "EAI_MEMORY: out of memory";
	case -11:
		return "EAI_SYSTEM: a system error";
	case -12:
		return "EAI_OVERFLOW: the name is too long";
	default:
		return "error";
	}
}

const char *signal_name(int sig)
{
	switch (sig) {
	case SIGHUP:
		return "SIGHUP";
	case SIGINT:
		return "SIGINT";
	case SIGQUIT:
		return "SIGQUIT";
	case SIGILL:
		return "SIGILL";
	case SIGTRAP:
		return "SIGTRAP";
	case SIGABRT:
		return "SIGABRT";
	case SIGBUS:
		return "SIGBUS";
	case SIGFPE:
		return "SIGFPE";
	case SIGKILL:
		return "SIGKILL";
	case SIGUSR1:
		return "SIGUSR1";
	case SIGSEGV:
		return "SIGSEGV";
	case SIGUSR2:
		return "SIGUSR2";
	case SIGPIPE:
		return "SIGPIPE";
	case SIGALRM:
		return "SIGALRM";
	case SIGTERM:
		return "SIGTERM";
	case SIGSTKFLT:
		return "SIGSTKFLT";
	case SIGCHLD:
		return "SIGCHLD";
	case SIGCONT:
		return "SIGCONT";
	case SIGSTOP:
		return "SIGSTOP";
	case SIGTSTP:
		return "SIGTSTP";
	case SIGTTIN:
		return "SIGTTIN";
	case SIGTTOU:
		return "SIGTTOU";
	case SIGURG:
		return "SIGURG";
	case SIGXCPU:
		return "SIGXCPU";
	case SIGXFSZ:
		return "SIGXFSZ";
	case SIGVTALRM:
		return "SIGVTALRM";
	case SIGPROF:
		return "SIGPROF";
	case SIGWINCH:
		return "SIGWINCH";
	case SIGIO:
		return "SIGIO";
	case SIGPWR:
		return "SIGPWR";
	case SIGSYS:
		return "SIGSYS";
	default:
		return NULL;
	}
}

struct code {
	short sig; /* 0: any */
	short code;
	char name[16];
};

static const struct code codes[] = {
	{0, SI_USER, "SI_USER"},
	{0, SI_KERNEL, "SI_KERNEL"},
	{0, SI_QUEUE, "SI_QUEUE"},
	{0, SI_TIMER, "SI_TIMER"},
	{0, SI_MESGQ, "SI_MESGQ"},
	{0, SI_ASYNCIO, "SI_ASYNCIO"},
	{0, SI_SIGIO, "SI_SIGIO"},
	{0, SI_TKILL, "SI_TKILL"},
	{SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},
	{SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
	{SIGILL, ILL_ILLADR, "ILL_ILLADR"},
	{SIGILL, ILL_ILLTRP, "ILL_ILLTRP"},
	{SIGILL, ILL_PRVOPC, "ILL_PRVOPC"},
	{SIGILL, ILL_PRVREG, "ILL_PRVREG"},
	{SIGILL, ILL_COPROC, "ILL_COPROC"},
	{SIGILL, ILL_BADSTK, "ILL_BADSTK"},
	{SIGFPE, FPE_INTDIV, "FPE_INTDIV"},
	{SIGFPE, FPE_INTOVF, "FPE_INTOVF"},
	{SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},
	{SIGFPE, FPE_FLTOVF, "FPE_FLTOVF"},
	{SIGFPE, FPE_FLTUND, "FPE_FLTUND"},
	{SIGFPE, FPE_FLTRES, "FPE_FLTRES"},
	{SIGFPE, FPE_FLTINV, "FPE_FLTINV"},
	{SIGFPE, FPE_FLTSUB, "FPE_FLTSUB"},
	{SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"},
	{SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
	{SIGSEGV, SEGV_BNDERR, "SEGV_BNDERR"},
	{SIGSEGV, SEGV_PKUERR, "SEGV_PKUERR"},
	{SIGBUS, BUS_ADRALN, "BUS_ADRALN"},
	{SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
	{SIGBUS, BUS_OBJERR, "BUS_OBJERR"},
	{SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR"},
	{SIGBUS, BUS_MCEERR_AO, "BUS_MCEERR_AO"},
	{SIGTRAP, TRAP_BRKPT, "TRAP_BRKPT"},
	{SIGTRAP, TRAP_TRACE, "TRAP_TRACE"},
	{SIGSYS, 1, "SYS_SECCOMP"},
};

const char *signal_code_name(int sig, int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if ((codes[i].sig == 0 || codes[i].sig == sig) && codes[i].code == code)
			return codes[i].name;
	return NULL;
}
