/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * An execve(2) that failed: the process goes on as it was, so the arguments are read from where the call found them.
 * One that succeeded is an exec, which has its own hook.
 */

enum { FAILED_ARGS = 24, FAILED_ARG = 512 };

/* put_vector copies arguments one behind the other, each with its NUL. It returns how many bytes these are. */
__noinline int put_vector(u64 vec, u32 compat, u32 piece, u32 start)
{
	u8 *buf = scratch(piece);
	u64 pos = start;

	if (!buf)
		return 0;
	for (int i = 0; i < FAILED_ARGS; i++) {
		u64 one = 0;
		long len;

		if (compat)
			bpf_probe_read_user(&one, 4, (void *)(vec + 4 * i));
		else
			bpf_probe_read_user(&one, 8, (void *)(vec + 8 * i));
		if (!one)
			return pos - start;
		keep(pos);
		if (pos > HEAD_BYTES - FAILED_ARG)
			break;
		len = bpf_probe_read_user_str(buf + pos, FAILED_ARG, (void *)one);
		if (len <= 0)
			break;
		pos += len;
	}
	return (pos - start) | TEXT_CUT;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(class_exec, struct pt_regs *regs, long ret)
{
	u32 piece = call_piece(), pos = sizeof(struct syscall);
	struct syscall *e = (struct syscall *)scratch(piece);
	bool at;
	int put;

	if (!e || ret >= 0)
		return 0;
	begin_call(e, regs, ret);
	at = e->id == SYS_EXECVEAT;
	pos = call_path(e, 0, at ? (s32)e->args[0] : AT_FDCWD, at ? e->args[1] : e->args[0], true, piece, pos);
	put = put_vector(at ? e->args[2] : e->args[1], e->compat, piece, pos);
	if (put & TEXT_CUT)
		e->cut |= 4;
	pos = take_text(&e->text[0], pos, put);
	end_call(e, pos);
	return 0;
}
