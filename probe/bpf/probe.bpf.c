/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The probe's programs. They are one object, because they share maps and functions; each file has one concern.
 *
 * The licence that is declared to the kernel is GPL: it asks for that before it lets a program read kernel memory. The
 * files of this folder are under that licence, too, at your option.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "syscalls.h"
#include "maps.h"
#include "task.h"
#include "path.h"
#include "process.h"
#include "socket.h"
#include "file.h"
#include "dispatch.h"

#include "exec.bpf.c"
#include "lifetime.bpf.c"
#include "snapshot.bpf.c"
#include "dispatch.bpf.c"
#include "open.bpf.c"
#include "file.bpf.c"
#include "net.bpf.c"
#include "failed.bpf.c"
#include "tty.bpf.c"

/* Types that no program has a global variable of: named here so that Go gets them, too. */
const volatile struct {
	enum kind kind;
	enum class class;
	enum path_flags path_flags;
	enum fd_flags fd_flags;
	enum exe_flags exe_flags;
	enum filter filter;
	enum syscall_id syscall_id;
	enum tty_kind tty_kind;
	enum tty_flags tty_flags;
	enum tty_want tty_want;
	struct tty tty;
	struct slot slot;
	struct process process;
	struct fork fork;
	struct exit exit;
	struct syscall syscall;
	struct sock_info sock_info;
} types = {};

char _license[] SEC("license") = "GPL";
