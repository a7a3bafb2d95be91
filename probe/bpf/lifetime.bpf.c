/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Begin and end of processes.
 *
 * Hooks: the tracepoints sched_process_fork and sched_process_exit with BTF (since 5.5). The first fires when the child is
 * complete but has not run; the second when a thread is done, its exit status set and its parents not yet told.
 */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 zero = 0;
	struct tally *c = bpf_map_lookup_elem(&counters, &zero);
	struct controls *ctl = bpf_map_lookup_elem(&control, &zero);
	struct fork *e;

	if (!c || !ctl)
		return 0;
	if (!with_threads && child->tgid != child->pid)
		return 0;
	e = bpf_ringbuf_reserve(&process_ring, sizeof(*e), 0);
	if (!e) {
		lose(c, ctl, KIND_FORK, bpf_ktime_get_boot_ns());
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	head_of_task(&e->head, parent);
	head_of_task(&e->child, child);
	e->head.size = sizeof(*e);
	e->head.kind = KIND_FORK;
	c->sent[KIND_FORK]++;
	bpf_ringbuf_submit(e, wake(&process_ring, RING_PROCESS, ctl, false));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	u32 zero = 0;
	struct tally *c = bpf_map_lookup_elem(&counters, &zero);
	struct controls *ctl = bpf_map_lookup_elem(&control, &zero);
	struct exit *e;

	if (!c || !ctl)
		return 0;
	/* The process ends with its last thread. When two threads end at once, both can see that none is left: the reader
	 * drops the second. */
	if (task->signal->live.counter > 0)
		return 0;
	e = bpf_ringbuf_reserve(&process_ring, sizeof(*e), 0);
	if (!e) {
		lose(c, ctl, KIND_EXIT, bpf_ktime_get_boot_ns());
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	head_of_task(&e->head, task);
	/* exit_group(2) and a deadly signal set the status of the whole group (SIGNAL_GROUP_EXIT, 4); else it is the leader's. */
	e->code = task->signal->flags & 4 ? task->signal->group_exit_code : task->group_leader->exit_code;
	e->head.size = sizeof(*e);
	e->head.kind = KIND_EXIT;
	c->sent[KIND_EXIT]++;
	bpf_ringbuf_submit(e, wake(&process_ring, RING_PROCESS, ctl, false));
	return 0;
}
