/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * All calls that a line of descs describes: with one or two paths, with a descriptor, with texts, or with nothing but
 * registers. A directory that was removed or a file that was renamed has no descriptor that could tell its path, so
 * these have the path as it was given and the directory that it starts from.
 */

#define FD0 __builtin_offsetof(struct syscall, fd)

static __always_inline u64 argument(struct syscall *e, u32 which)
{
	u32 i = which - 1;

	if (i > 5)
		return 0;
	keep(i);
	return e->args[i & 7]; /* 6 and 7 are other members: the verifier knows the mask, not the check */
}

SEC("tp_btf/sys_exit")
int BPF_PROG(class_file, struct pt_regs *regs, long ret)
{
	u32 piece = call_piece(), pos = sizeof(struct syscall);
	struct syscall *e = (struct syscall *)scratch(piece);
	const struct desc *d;
	u64 id;
	int put;

	if (!e)
		return 0;
	id = e->id;
	/* Of fcntl(2) only what makes another descriptor: F_DUPFD and F_DUPFD_CLOEXEC. */
	if (id == SYS_FCNTL) {
		u64 args[6];

		read_args(regs, args, e->compat);
		if ((u32)args[1] != 0 && (u32)args[1] != 1030)
			return 0;
	}
	begin_call(e, regs, ret);
	keep(id);
	d = &descs[id & 255];
	if (d->path0)
		pos = call_path(e, 0, d->dir0 ? (s32)argument(e, d->dir0) : AT_FDCWD, argument(e, d->path0), true, piece, pos);
	if (d->path1)
		pos = call_path(e, 1, d->dir1 ? (s32)argument(e, d->dir1) : AT_FDCWD, argument(e, d->path1), true, piece, pos);
	if (d->text0) {
		put = put_text(argument(e, d->text0), piece, pos);
		if (put & TEXT_CUT)
			e->cut |= 4;
		pos = take_text(&e->text[0], pos, put);
	}
	if (d->text1) {
		put = put_text(argument(e, d->text1), piece, pos);
		if (put & TEXT_CUT)
			e->cut |= 8;
		pos = take_text(&e->text[1], pos, put);
	}
	if (d->fd2)
		e->fd[1].num = argument(e, d->fd2);
	if (d->fd == CWD) {
		if (ret == 0) {
			e->fd[0].flags = FD_PRESENT;
			pos = put_base(&e->fd[0].path, AT_FDCWD, piece, pos);
		}
	} else if (d->fd) {
		s32 fd = d->fd == RET ? (s32)ret : (s32)argument(e, d->fd);

		/* bpf(2) returns a descriptor for some commands and 0 for others; that of 0 is not worth a second thought. */
		if (fd >= 0 && !(id == SYS_BPF && ret == 0)) {
			e->fd[0].num = fd;
			pos = put_fd(file_at(fd), piece, FD0, pos, WAY_LOOK);
		}
	}
	end_call(e, pos);
	return 0;
}
