/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Opens of files: what rules look at most. The path of the new descriptor is the kernel's own, so another thread that
 * changes the name meanwhile changes nothing. A failed open has only the name as it was given.
 */

#define O_ACCMODE 3
#define O_CREAT 0100
#define O_TRUNC 01000

SEC("tp_btf/sys_exit")
int BPF_PROG(class_open, struct pt_regs *regs, long ret)
{
	u32 piece = call_piece(), pos = sizeof(struct syscall), zero = 0;
	struct syscall *e = (struct syscall *)scratch(piece);
	struct controls *ctl = bpf_map_lookup_elem(&control, &zero);
	u64 path, flags;
	s32 dir = AT_FDCWD;

	if (!e || !ctl)
		return 0;
	if (ret < 0 && ctl->filters & FILTER_FAILED) {
		count_filtered();
		return 0;
	}
	begin_call(e, regs, ret);
	switch (e->id) {
	case SYS_OPEN:
		path = e->args[0];
		flags = e->args[1];
		break;
	case SYS_CREAT:
		path = e->args[0];
		flags = O_CREAT;
		break;
	case SYS_OPENAT2: {
		/* struct open_how: what it says stands in the record where registers have nothing to say. */
		u64 how[3] = {};

		bpf_probe_read_user(how, sizeof(how), (void *)e->args[2]);
		e->args[2] = how[0];
		e->args[3] = how[1];
		e->args[4] = how[2];
	} /* fall through */
	case SYS_OPENAT:
		dir = e->args[0];
		path = e->args[1];
		flags = e->args[2];
		break;
	default: /* open_by_handle_at */
		e->fd[1].num = e->args[0];
		path = 0;
		flags = e->args[2];
	}
	if (ctl->filters & FILTER_READ_ONLY && !(flags & (O_ACCMODE | O_CREAT | O_TRUNC))) {
		count_filtered();
		return 0;
	}
	if (path)
		pos = call_path(e, 0, dir, path, ret < 0, piece, pos);
	if (ret >= 0) {
		e->fd[0].num = ret;
		pos = put_fd(file_at(ret), piece, __builtin_offsetof(struct syscall, fd), pos, WAY_LOOK);
	}
	end_call(e, pos);
	return 0;
}
