/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The processes that are there already.
 *
 * Hook: the iterator of tasks (since 5.8). It runs while user space reads it, so nothing can be lost: the records do not
 * go through a ring. Arguments are those of another process's memory, which an iterator cannot read before 5.18;
 * they come from /proc.
 */

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 piece = WHOLE | cpus; /* one more than the CPUs have: a reader of an iterator can be interrupted by an exec */
	struct process *e;
	u64 size;

	if (!task || task->tgid != task->pid)
		return 0;
	e = (struct process *)scratch(piece);
	if (!e)
		return 0;
	size = put_process(e, task, piece);
	size = (size + 7) & ~7ull;
	keep(size);
	if (size > HEAD_BYTES)
		return 0;
	e->head.size = size;
	e->head.kind = KIND_SNAPSHOT;
	bpf_seq_write(ctx->meta->seq, e, size);
	return 0;
}
