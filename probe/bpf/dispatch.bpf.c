/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * System calls that return.
 *
 * Hook: the tracepoint sys_exit with BTF (since 5.5). One program sees every system call, also those of 32 bit programs,
 * which the tracepoints of single calls do not see. So what nobody asked for must be left at once: a load and a branch.
 * What was asked for goes on, by a tail call, to the program of its class.
 *
 * This program has no functions of its own: before 5.10 the kernel refuses a tail call beside them.
 */

/* What is asked for, by the number of the call. User space writes it. */
volatile struct slot slots[SLOTS] SEC(".data.slots");
/* The same by syscall_id, for calls that are known only by their arguments (32 bit sockets). */
volatile u8 wanted[256] SEC(".data.wanted");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CLASS_COUNT);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} classes SEC(".maps");

struct comm {
	u8 name[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct comm);
	__type(value, u8);
} quiet_comms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u8);
} quiet_cgroups SEC(".maps");

/* is_quiet reports whether the task is one whose calls are left out. */
static __always_inline bool is_quiet(u32 filters)
{
	if (filters & FILTER_COMM) {
		struct comm comm = {};

		/* Up to the NUL: 6.1 leaves what was there before behind it. */
		bpf_get_current_comm(&comm, sizeof(comm));
		for (int i = 0, end = 0; i < 16; i++) {
			if (!comm.name[i])
				end = 1;
			if (end)
				comm.name[i] = 0;
		}
		if (bpf_map_lookup_elem(&quiet_comms, &comm))
			return true;
	}
	if (filters & FILTER_CGROUP) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();
		u64 id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);

		if (!BPF_CORE_READ(task, cgroups, dfl_cgrp, level)) {
			struct cgroup_subsys_state *css = memory_css(BPF_CORE_READ(task, cgroups));

			if (css)
				id = BPF_CORE_READ(css, cgroup, kn, id);
		}
		if (bpf_map_lookup_elem(&quiet_cgroups, &id))
			return true;
	}
	return false;
}

/* has_tty reports whether the task has a controlling terminal. */
static __always_inline bool has_tty(void)
{
	if (HAVE_TASK_BTF)
		return bpf_get_current_task_btf()->signal->tty != 0;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), signal, tty) != 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	u32 number = CALL_NUMBER(regs), zero = 0, class, id;
	struct controls *ctl;
	struct syscall *e;
	union {
		u32 all;
		struct slot slot;
	} want;
	bool compat;

	if (number >= SLOTS)
		return 0;
	want.all = *(volatile u32 *)&slots[number];
	if (!want.all)
		return 0;
	compat = is_compat();
	class = compat ? want.slot.compat_class : want.slot.class;
	id = compat ? want.slot.compat_id : want.slot.id;
	if (!class)
		return 0;
	e = (struct syscall *)scratch(call_piece());
	ctl = bpf_map_lookup_elem(&control, &zero);
	if (!e || !ctl)
		return 0;
	e->id = id;
	e->compat = compat;
	if (class == CLASS_TTY) {
		/* Most readers and writers have no terminal. What a shell reads from a pipe is its descriptor 0. */
		if (!has_tty()) {
			u64 args[6];

			if (id != SYS_READ || !ctl->tty_piped)
				return 0;
			read_args(regs, args, compat);
			if ((u32)args[0] != 0)
				return 0;
		}
	} else {
		if (self && bpf_get_current_pid_tgid() >> 32 == self)
			return 0;
		if (ctl->filters & (FILTER_COMM | FILTER_CGROUP) && is_quiet(ctl->filters)) {
			count_filtered();
			return 0;
		}
	}
	bpf_tail_call(ctx, &classes, class);
	return 0;
}
