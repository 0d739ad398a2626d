/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of the key process. With key files everything is in memory when
 * they shut, so what remains is a list of the few calls that computing and
 * talking on open sockets need. A PKCS#11 module keeps using files, locks and
 * often a local socket of its daemon, so there the list is of what is refused:
 * every socket but AF_UNIX, every server call, new programs and processes,
 * looking into others.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/keys/keys_room.h"

static const int compute_calls[] = { SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(close), SCMP_SYS(munmap),
	SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group) };

static const int refused_calls[] = { SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept),
	SCMP_SYS(accept4), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(setns),
	SCMP_SYS(unshare), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_open), SCMP_SYS(kcmp), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(personality) };

static int
allow_computing(scmp_filter_ctx f)
{
	uint64_t self = (uint64_t)getpid();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof compute_calls / sizeof compute_calls[0]; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, compute_calls[i], 0);
	/* No memory becomes code. */
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* abort() */
	if (rc == 0)
		rc = seccomp_rule_add(
		    f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self, 0));
	return rc;
}

static int
refuse_network(scmp_filter_ctx f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof refused_calls / sizeof refused_calls[0]; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), refused_calls[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
	/* Threads, not processes; clone3 hides its flags in memory, so glibc must fall back to
	 * clone. */
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

static mst_err
limit(int what, rlim_t most, const char *name)
{
	struct rlimit l = { most, most };

	if (setrlimit((__rlimit_resource_t)what, &l) == 0)
		return MST_OK;
	keys_say("setrlimit %s: %s", name, strerror(errno));
	return MST_E_KEY_OPEN;
}

mst_err
keys_jail_enter(enum keys_jail jail)
{
	scmp_filter_ctx f;
	mst_err e;
	int rc;

	/* poll(2) counts its list against NOFILE, so the limit is not smaller than that. */
	if ((e = limit(RLIMIT_CORE, 0, "core")) != MST_OK ||
	    (e = limit(RLIMIT_NOFILE, jail == KEYS_JAIL_FILES ? KEYS_CLIENTS_MAX + 16 : 256,
	         "nofile")) != MST_OK)
		return e;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		keys_say("prctl: %s", strerror(errno));
		return MST_E_KEY_OPEN;
	}
	f = seccomp_init(jail == KEYS_JAIL_FILES ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
	if (f == NULL)
		return MST_E_NOMEM;
	/* A tree instead of a list of 30 comparisons: it is passed at every read and write. */
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = jail == KEYS_JAIL_FILES ? allow_computing(f) : refuse_network(f);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc != 0) {
		keys_say("seccomp: %s", strerror(-rc));
		return MST_E_KEY_OPEN;
	}
	return MST_OK;
}
