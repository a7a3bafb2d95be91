/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A process that now runs another program.
 *
 * Hook: the tracepoint sched_process_exec with BTF (since 5.5). It fires when exec has succeeded and the new memory is in
 * place, but before the program's first instruction. So nobody can have changed the arguments: they are what the
 * kernel copied. It does not fire for an exec that failed; those are system calls like others (failed.bpf.c).
 */

/* put_user copies at most max bytes of the process's memory behind the record. It returns how many. */
static __always_inline u64 put_user(u8 *buf, u64 pos, u64 from, u64 len, u64 max)
{
	if (len > max)
		len = max;
	/* The compiler must not move the check: the verifier of 6.1 wants to see it right before the use. */
	keep(len);
	if (len > max)
		return 0;
	if (bpf_probe_read_user(buf + pos, len, (void *)from))
		return 0;
	return len;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	u32 piece = WHOLE | bpf_get_smp_processor_id();
	struct process *e = (struct process *)scratch(piece);
	u8 *buf = (u8 *)e;
	u64 pos, len, size;
	long text;

	if (!e)
		return 0;
	pos = put_process(e, task, piece);

	keep(pos);
	pos &= HEAD_BYTES - 1;
	if (pos > HEAD_BYTES - MAX_PATH)
		pos = HEAD_BYTES - MAX_PATH;
	text = bpf_probe_read_kernel_str(buf + pos, MAX_PATH, bprm->filename);
	if (text > 0 && text <= MAX_PATH) {
		e->filename.off = pos;
		e->filename.len = text - 1;
		pos += text - 1;
	}

	/* The fixed part and the paths end below HEAD_BYTES; the scratch has args_max and env_max bytes behind that. */
	keep(pos);
	pos &= HEAD_BYTES * 2 - 1;
	if (pos > HEAD_BYTES)
		pos = HEAD_BYTES;
	size = pos;
	if (task->mm) {
		u64 from = task->mm->arg_start;

		len = task->mm->arg_end - from;
		e->args_total = len;
		e->args_off = pos;
		e->args_len = len = put_user(buf, pos, from, len, args_max);
		size = pos + len;
		if (env_max) {
			u64 env = size;

			keep(env);
			if (env > HEAD_BYTES + args_max)
				env = HEAD_BYTES + args_max;
			from = task->mm->env_start;
			len = task->mm->env_end - from;
			e->env_total = len;
			e->env_off = env;
			e->env_len = len = put_user(buf, env, from, len, env_max);
			size = env + len;
		}
	}
	keep(size);
	if (size > HEAD_BYTES + args_max + env_max)
		return 0;
	emit(RING_PROCESS, &e->head, size, KIND_EXEC, false);
	return 0;
}
