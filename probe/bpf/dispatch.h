/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the programs behind the dispatcher share. */
#ifndef DISPATCH_H
#define DISPATCH_H

#if defined(__TARGET_ARCH_x86)

#define CALL_NUMBER(regs) ((u32)(regs)->orig_ax & ~0x40000000u) /* the bit is x32's */

static __always_inline bool is_compat(void)
{
	u32 status;

	if (HAVE_TASK_BTF)
		status = bpf_get_current_task_btf()->thread_info.status;
	else
		status = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_info.status);
	return status & 2; /* TS_COMPAT */
}

/* The registers hold the arguments still: what a system call destroys are only rcx, r11 and rax. */
static __always_inline void read_args(struct pt_regs *regs, u64 *args, bool compat)
{
	if (compat) {
		args[0] = (u32)regs->bx;
		args[1] = (u32)regs->cx;
		args[2] = (u32)regs->dx;
		args[3] = (u32)regs->si;
		args[4] = (u32)regs->di;
		args[5] = (u32)regs->bp;
		return;
	}
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

#else

#define CALL_NUMBER(regs) ((u32)(regs)->syscallno)

static __always_inline bool is_compat(void)
{
	unsigned long flags;

	if (HAVE_TASK_BTF)
		flags = bpf_get_current_task_btf()->thread_info.flags;
	else
		flags = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_info.flags);
	return flags & (1 << 22); /* TIF_32BIT */
}

/* The result is in the first argument's register, which is kept elsewhere. */
static __always_inline void read_args(struct pt_regs *regs, u64 *args, bool compat)
{
	args[0] = regs->orig_x0;
	args[1] = regs->regs[1];
	args[2] = regs->regs[2];
	args[3] = regs->regs[3];
	args[4] = regs->regs[4];
	args[5] = regs->regs[5];
	if (compat)
		for (int i = 0; i < 6; i++)
			args[i] = (u32)args[i];
}

#endif

/* The piece of scratch of a program behind the dispatcher. */
static __always_inline u32 call_piece(void)
{
	return bpf_get_smp_processor_id();
}

/* begin_call starts the record of a call: all of it is written, with who and with the registers. */
static __always_inline void begin_call(struct syscall *e, struct pt_regs *regs, long ret)
{
	u16 id = e->id;
	u8 compat = e->compat;

	__builtin_memset(e, 0, sizeof(*e));
	head_of_current(&e->head);
	e->id = id;
	e->compat = compat;
	e->ret = ret;
	e->fd[0].num = -1;
	e->fd[1].num = -1;
	read_args(regs, e->args, compat);
}

/* end_call sends the record. */
static __always_inline void end_call(struct syscall *e, u32 pos)
{
	u64 size = pos;

	keep(size);
	if (size < sizeof(*e) || size > HEAD_BYTES)
		return;
	emit(RING_BULK, &e->head, size, KIND_SYSCALL, false);
}

/* call_path reads a path of the caller's, and where it starts from when it is relative. i is 0 or 1. */
static __always_inline u32 call_path(struct syscall *e, int i, s32 dir, u64 path, bool base, u32 piece, u32 pos)
{
	int put = put_text(path, piece, pos);
	u8 *buf = (u8 *)e;
	u64 at = pos;

	if (put & TEXT_CUT)
		e->cut |= 1 << i;
	pos = take_text(&e->path[i], pos, put);
	keep(at);
	at &= HEAD_BYTES - 1;
	if (base && !(e->path[i].len && buf[at] == '/'))
		pos = put_base(&e->base[i], dir, piece, pos);
	return pos;
}

#endif
