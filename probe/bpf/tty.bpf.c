/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What people type at terminals, and what shells read from pipes.
 *
 * Hook: the tracepoint sys_exit with BTF (since 5.5), for read, readv, write, writev, ioctl. Only files that are the slave
 * side of a terminal count, or what is no terminal on descriptor 0 of a shell. So a chain of ssh, tmux and containers
 * needs no special case: each shell is seen on its own terminal.
 *
 * What is secret is decided here, by the terminal's mode at the read. A read in canonical mode without echo is a password:
 * no byte of it is copied, and not its length. Nor is a read key by key by a program that is no line editor: ssh, tmux
 * and editors of files read everything that way.
 *
 * Functions are global where they have loops or are called twice, so that the verifier checks each once (see path.h).
 */

struct ktermios___t {
	u32 c_iflag, c_oflag, c_cflag, c_lflag;
} __attribute__((preserve_access_index));
struct winsize___t {
	u16 ws_row, ws_col;
} __attribute__((preserve_access_index));
struct tty_struct___t {
	struct ktermios___t termios;
	struct winsize___t winsize;
	struct {
		struct pid *pgrp;
	} ctrl; /* since 5.16 */
} __attribute__((preserve_access_index));
struct tty_struct___v58 {
	struct pid *pgrp;
} __attribute__((preserve_access_index));
struct tty_file_private {
	struct tty_struct *tty;
} __attribute__((preserve_access_index));
struct file___t {
	s64 f_pos;
} __attribute__((preserve_access_index));
struct task_struct___t {
	u64 self_exec_id; /* 64 bit since 5.7 */
} __attribute__((preserve_access_index));

/* What is traced, see TTYOptions. User space writes it. */
volatile u32 tty_wants SEC(".data.tty");
enum tty_want { WANT_LINES = 1, WANT_CHILD = 2, WANT_PIPED = 4, WANT_OUTPUT = 8 };

enum {
	TTY_TAIL = 512,   /* bytes that are kept of what a shell prints in canonical mode: a prompt stands at the end */
	TTY_LINE = 256,   /* bytes of a line that a shell reads one by one */
	TTY_CHUNKS = 8,   /* events of one call */
	TTY_VECTORS = 8,  /* pieces of a vector */
	TTY_BUDGET = 64,  /* prints in canonical mode that are told between two reads */
	TTY_WORDS = 4,    /* words of a command line that are looked at */
	ICANON = 2,
	ECHO = 8,
	OPOST = 1,
};

/* What a program is, by its name. */
enum tty_name {
	NAME_SHELL = 1,
	NAME_MULTI,       /* a shell if it is called so: busybox */
	NAME_NEVER,       /* sets the terminal as editors of lines do, and is no shell */
	NAME_INTERPRETER, /* edits lines that are no commands of a shell: python */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, char[16]);
	__type(value, u32);
} tty_names SEC(".maps");

/* What a process is, until its next exec. */
enum {
	WHO_SHELL = 1,
	WHO_EDITOR = 2,
	WHO_STDIN = 4, /* a shell that may read commands from its standard input */
	WHO_NEVER = 8,
	WHO_INTERPRETER = 16,
};
struct tty_who {
	u64 exec;
	u32 flags;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct tty_who);
} tty_whos SEC(".maps");

/* A terminal. */
struct tty_state {
	u64 number; /* of the next event */
	u32 mode;
	u32 budget;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct tty_state);
} tty_states SEC(".maps");

/* The line that a process reads from a pipe byte by byte. */
struct tty_linebuf {
	u32 len;
	u32 pad;
	u8 data[TTY_LINE];
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, u32);
	__type(value, struct tty_linebuf);
} tty_linebufs SEC(".maps");

static __always_inline u32 what_is_called(const char *name)
{
	u32 *what = bpf_map_lookup_elem(&tty_names, name);

	return what ? *what : 0;
}

/* zero_tail clears what follows the first NUL: a key of a map must agree to its last byte. */
static __always_inline void zero_tail(char *name)
{
	bool end = false;

#pragma unroll
	for (int i = 0; i < 16; i++) {
		if (!name[i])
			end = true;
		if (end)
			name[i] = 0;
	}
}

/* next_word reads a word of the command line and gives its length with the NUL, 0 where there is none. */
static __always_inline u64 next_word(char *word, u32 size, u64 at, u64 end)
{
	long n;

	if (at >= end)
		return 0;
	n = bpf_probe_read_user_str(word, size, (void *)at);
	return n > 0 ? n : 0;
}

/*
 * look_at_args: does a program of many names run a shell, and does the shell read its commands from its standard input
 * (no -c, no script named)? What is not sure counts as yes: user space has the whole command line and knows better.
 */
__noinline int look_at_args(u32 multi)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 begin = BPF_CORE_READ(task, mm, arg_start), at = begin;
	u64 end = BPF_CORE_READ(task, mm, arg_end);
	char first[128] = {};
	char word[16] = {};
	bool skip = false;
	u64 n;

	at += next_word(first, sizeof(first), at, end);
	if (multi) {
		n = next_word(word, sizeof(word), at, end);
		zero_tail(word);
		if (n && what_is_called(word) == NAME_SHELL) {
			at += n;
		} else {
			/* A link to the program: argv[0] is the name, with a dash in front for a login shell. */
			__builtin_memset(word, 0, sizeof(word));
			bpf_probe_read_user_str(word, sizeof(word), (void *)(begin + (first[0] == '-')));
			zero_tail(word);
			if (what_is_called(word) != NAME_SHELL)
				return 0;
		}
	}
#pragma unroll
	for (int i = 0; i < TTY_WORDS; i++) {
		__builtin_memset(word, 0, sizeof(word));
		n = next_word(word, sizeof(word), at, end);
		if (!n)
			break;
		at += n;
		if (skip) {
			skip = false;
			continue;
		}
		if (word[0] != '-' && word[0] != '+')
			return WHO_SHELL;
		if (word[1] == '-' || word[1] == 's' || n == sizeof(word))
			break;
		if (word[1] == 'o' || word[1] == 'O')
			skip = true;
		else if (word[1] == 'c' || word[2] == 'c' || word[3] == 'c' || word[4] == 'c')
			return WHO_SHELL;
	}
	return WHO_SHELL | WHO_STDIN;
}

/* who_is tells what the current program is: by its name, else by the name of its file. */
__noinline int who_is(u32 pid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 exec = BPF_CORE_READ((struct task_struct___t *)task, self_exec_id);
	struct tty_who *known = bpf_map_lookup_elem(&tty_whos, &pid);
	struct tty_who who = {.exec = exec};
	char name[16] = {};
	u32 what;

	if (known && known->exec == exec)
		return known->flags;
	bpf_get_current_comm(name, sizeof(name));
	zero_tail(name);
	what = what_is_called(name);
	if (!what) {
		const unsigned char *file = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);

		__builtin_memset(name, 0, sizeof(name));
		bpf_probe_read_kernel_str(name, sizeof(name), file);
		zero_tail(name);
		what = what_is_called(name);
	}
	if (what == NAME_NEVER)
		who.flags = WHO_NEVER;
	else if (what == NAME_INTERPRETER)
		who.flags = tty_wants & WANT_CHILD ? WHO_INTERPRETER : WHO_NEVER;
	else if (what)
		who.flags = look_at_args(what == NAME_MULTI);
	bpf_map_update_elem(&tty_whos, &pid, &who, BPF_ANY);
	return who.flags;
}

static __always_inline struct file *open_file(struct task_struct *task, u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files, *f = 0;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&f, sizeof(f), files + fd);
	return f;
}

/*
 * terminal_of gives the terminal behind a file. Majors: 136 to 143 are the slaves of pseudo terminals, 4 virtual consoles
 * and serial lines, 5:0 and 5:1 /dev/tty and /dev/console, which stand for another one, 204 and 229 serial and hypervisor
 * consoles. 5:2, the master side, is not among them.
 */
static __always_inline struct tty_struct *terminal_of(struct file *f)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	struct tty_file_private *private;
	u32 dev, major;

	if ((BPF_CORE_READ(inode, i_mode) & 0170000) != 0020000)
		return 0;
	dev = BPF_CORE_READ(inode, i_rdev);
	major = dev >> 20;
	if ((major < 136 || major > 143) && major != 4 && (major != 5 || (dev & 0xfffff) > 1) && major != 204 && major != 229)
		return 0;
	private = BPF_CORE_READ(f, private_data);
	return BPF_CORE_READ(private, tty);
}

static __always_inline struct tty_state *state_of(u64 key)
{
	struct tty_state *s = bpf_map_lookup_elem(&tty_states, &key), fresh = {.budget = TTY_BUDGET, .mode = ~0u};

	if (s)
		return s;
	bpf_map_update_elem(&tty_states, &key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&tty_states, &key);
}

/* record begins a record in this CPU's scratch. */
static __always_inline struct tty *record(u32 kind, u32 flags, u32 fd, u32 req)
{
	struct tty *e = (void *)scratch(bpf_get_smp_processor_id() & 0xffff);
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!e)
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	head_of_current(&e->head);
	e->kind = kind;
	e->flags = flags;
	e->fd = fd;
	e->requested = req;
	e->sid = BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr);
	return e;
}

static __always_inline void describe(struct tty *e, struct tty_struct *tty)
{
	struct tty_struct___t *t = (void *)tty;
	u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);

	e->terminal = (u64)tty;
	e->dev = (minor & 0xff) | BPF_CORE_READ(tty, driver, major) << 8 | (minor & ~0xffu) << 12;
	e->lflag = BPF_CORE_READ(t, termios.c_lflag);
	e->oflag = BPF_CORE_READ(t, termios.c_oflag);
	e->rows = BPF_CORE_READ(t, winsize.ws_row);
	e->cols = BPF_CORE_READ(t, winsize.ws_col);
	if (bpf_core_field_exists(t->ctrl.pgrp))
		e->foreground = BPF_CORE_READ(t, ctrl.pgrp, numbers[0].nr);
	else
		e->foreground = BPF_CORE_READ((struct tty_struct___v58 *)tty, pgrp, numbers[0].nr);
}

/* put sends the record with len bytes behind it; with the working directory, where the one who reads the record wants it. */
static __always_inline void put(struct tty *e, u64 len, bool now)
{
	keep(len);
	if (len > TTY_DATA)
		len = TTY_DATA;
	e->data.off = sizeof(*e);
	e->data.len = len;
	len += sizeof(*e);
	keep(len);
	if (len > sizeof(*e) + TTY_DATA)
		return;
	emit(RING_PROCESS, &e->head, len, KIND_TTY, now);
}

/* send_bytes sends n bytes of the program's memory, in as many records as are needed. */
__noinline int send_bytes(u64 base, u64 n, u32 now)
{
	struct tty *e = (void *)scratch(bpf_get_smp_processor_id() & 0xffff);
	u32 flags;

	if (!e)
		return 0;
	flags = e->flags;
	for (int i = 0; i < TTY_CHUNKS; i++) {
		u64 len = n;

		if (len > TTY_DATA)
			len = TTY_DATA;
		keep(len);
		if (len > TTY_DATA)
			return 0;
		if (bpf_probe_read_user((u8 *)e + sizeof(*e), len, (void *)base)) {
			e->flags = flags | TTY_CUT;
			put(e, 0, now);
			return 0;
		}
		n -= len;
		base += len;
		e->flags = flags;
		if (n)
			e->flags = flags | (i == TTY_CHUNKS - 1 ? TTY_CUT : TTY_MORE);
		put(e, len, now);
		if (!n)
			break;
	}
	return 0;
}

/* send_vector does so for the pieces of a vector. */
__noinline int send_vector(u64 vector, u32 count, u64 n, u32 now)
{
	for (int i = 0; i < TTY_VECTORS; i++) {
		struct {
			u64 base, len;
		} v = {};
		u64 len;

		if (i >= count || !n)
			break;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)(vector + i * sizeof(v))))
			break;
		len = v.len;
		if (len > n)
			len = n;
		if (len)
			send_bytes(v.base, len, now);
		n -= len;
	}
	return 0;
}

static __always_inline u32 flags_of(u32 who)
{
	return (who & WHO_SHELL ? TTY_SHELL : 0) | (who & WHO_EDITOR ? TTY_EDITOR : 0) | (who & WHO_INTERPRETER ? TTY_INTERPRETER : 0);
}

/* set_mode tells that the terminal's mode was set. */
__noinline int set_mode(u32 fd, u32 who)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 pid = bpf_get_current_pid_tgid() >> 32, lflag, oflag, mode;
	struct file *f = open_file(task, fd);
	struct tty_struct *tty;
	struct tty_state *s;
	struct tty *e;

	if (!f)
		return 0;
	tty = terminal_of(f);
	if (!tty)
		return 0;
	lflag = BPF_CORE_READ((struct tty_struct___t *)tty, termios.c_lflag);
	oflag = BPF_CORE_READ((struct tty_struct___t *)tty, termios.c_oflag);
	if (!(who & (WHO_SHELL | WHO_EDITOR | WHO_NEVER | WHO_INTERPRETER)) && !(lflag & (ICANON | ECHO)) && (oflag & OPOST) &&
	    BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr) == pid) {
		/* The leader of a session that takes single keys, shows them itself and leaves the output alone edits lines,
		 * whatever its name is. */
		struct tty_who *w = bpf_map_lookup_elem(&tty_whos, &pid);

		if (w) {
			w->flags |= WHO_EDITOR;
			who |= WHO_EDITOR;
		}
	}
	s = state_of((u64)tty);
	if (!s)
		return 0;
	mode = lflag & (ICANON | ECHO);
	if (!flags_of(who) && s->mode == mode)
		return 0;
	s->mode = mode;
	s->budget = TTY_BUDGET;
	e = record(TTY_TERMIOS, flags_of(who), fd, 0);
	if (!e)
		return 0;
	describe(e, tty);
	e->number = s->number++;
	put(e, 0, true);
	return 0;
}

/* A new one, in memory of its own: it is half of a program's stack. */
const struct tty_linebuf tty_empty = {};

/* read_pipe handles what a shell reads from a standard input that is no terminal. Bytes that come one by one are gathered. */
__noinline int read_pipe(u64 base, u32 req, s32 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *f = open_file(task, 0);
	u32 pid = bpf_get_current_pid_tgid() >> 32, mode;
	struct tty_linebuf *lb;
	struct inode *inode;
	struct tty *e;
	u64 n = 0;
	u8 c = 0;

	if (!f)
		return 0;
	inode = BPF_CORE_READ(f, f_inode);
	mode = BPF_CORE_READ(inode, i_mode) & 0170000;
	if (mode != 0010000 && mode != 0100000 && mode != 0140000)
		return 0;
	lb = bpf_map_lookup_elem(&tty_linebufs, &pid);
	if (ret == 1) {
		if (!lb) {
			bpf_map_update_elem(&tty_linebufs, &pid, (void *)&tty_empty, BPF_ANY);
			lb = bpf_map_lookup_elem(&tty_linebufs, &pid);
			if (!lb)
				return 0;
		}
		if (bpf_probe_read_user(&c, 1, (void *)base))
			return 0;
		n = lb->len;
		if (n >= TTY_LINE)
			n = 0;
		lb->data[n & (TTY_LINE - 1)] = c;
		lb->len = n + 1;
		if (c != '\n' && n + 1 < TTY_LINE)
			return 0;
	}
	e = record(TTY_PIPE, TTY_SHELL | (ret == 0 ? TTY_END : 0), 0, req);
	if (!e)
		return 0;
	e->ino = BPF_CORE_READ(inode, i_ino) ^ (u64)BPF_CORE_READ(inode, i_sb, s_dev) << 40;
	e->pos = BPF_CORE_READ((struct file___t *)f, f_pos);
	e->dev = mode;
	if (ret > 1) {
		send_bytes(base, ret, true);
		return 0;
	}
	n = 0;
	if (lb) {
		n = lb->len;
		if (n > TTY_LINE)
			n = TTY_LINE;
		keep(n);
		n &= 511;
		if (n > TTY_LINE)
			return 0;
		bpf_probe_read_kernel((u8 *)e + sizeof(*e), n, lb->data);
		lb->len = 0;
	}
	put(e, n, true);
	return 0;
}

enum { CALL_READ = 1, CALL_WRITE = 2, CALL_IOCTL = 4, CALL_VECTOR = 8 };

/* read_or_write handles a terminal's bytes. what is one of CALL, and who of its program shifted left by 16. */
__noinline int read_or_write(u32 what, u32 fd, u64 base, u32 req, s32 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *f = open_file(task, fd);
	u32 flags = flags_of(what >> 16), lflag, kind;
	bool tail = false, now = true;
	struct tty_struct *tty;
	struct tty_state *s;
	struct tty *e;
	u64 n = ret;

	if (!f)
		return 0;
	tty = terminal_of(f);
	if (!tty)
		return 0;
	lflag = BPF_CORE_READ((struct tty_struct___t *)tty, termios.c_lflag);
	s = state_of((u64)tty);
	if (!s)
		return 0;
	if (what & CALL_READ) {
		s->budget = TTY_BUDGET;
		kind = TTY_READ;
		if ((lflag & (ICANON | ECHO)) == ICANON)
			kind = TTY_SECRET;
		else if (!flags && (!(lflag & ICANON) || !(tty_wants & WANT_CHILD)))
			return 0;
	} else {
		kind = TTY_WRITE;
		now = false;
		if (!(tty_wants & WANT_OUTPUT)) {
			if (!flags)
				return 0;
			if (lflag & ICANON) {
				/* Between Enter and the next prompt a shell's built-ins print. Only a prompt at the end is of
				 * interest, and a loop of echo must not flood the ring. */
				if (!s->budget)
					return 0;
				s->budget--;
				tail = true;
			}
		}
	}
	if (ret <= 0 && kind != TTY_READ)
		return 0;
	e = record(kind, flags, fd, kind == TTY_SECRET ? 0 : req);
	if (!e)
		return 0;
	describe(e, tty);
	e->number = s->number++;
	if (kind == TTY_SECRET || ret <= 0) {
		put(e, 0, true);
		return 0;
	}
	if (what & CALL_VECTOR) {
		send_vector(base, req, n, now);
		return 0;
	}
	if (tail && n > TTY_TAIL) {
		base += n - TTY_TAIL;
		n = TTY_TAIL;
		e->flags |= TTY_CUT;
	}
	send_bytes(base, n, now);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(class_tty, struct pt_regs *regs, long ret)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32, wants = tty_wants, what, who;
	struct task_struct *task = (void *)bpf_get_current_task();
	struct syscall *e = (struct syscall *)scratch(call_piece());
	u64 args[6];
	bool compat;

	if (!e)
		return 0;
	compat = e->compat;
	switch (e->id) {
	case SYS_READ: what = CALL_READ; break;
	case SYS_WRITE: what = CALL_WRITE; break;
	case SYS_READV: what = CALL_READ | CALL_VECTOR; break;
	case SYS_WRITEV: what = CALL_WRITE | CALL_VECTOR; break;
	case SYS_IOCTL: what = CALL_IOCTL; break;
	default: return 0;
	}
	if (compat && what & CALL_VECTOR)
		return 0; /* no shell does that: a vector of 32 bit pointers */
	read_args(regs, args, compat);
	if (!BPF_CORE_READ(task, signal, tty)) {
		/* Without a terminal only a shell's standard input is of interest. */
		if (!(wants & WANT_PIPED) || what != CALL_READ || (u32)args[0] != 0 || ret < 0)
			return 0;
		who = who_is(pid);
		if (who & WHO_STDIN)
			read_pipe(args[1], args[2], ret);
		return 0;
	}
	if (what == CALL_IOCTL) {
		/* TCSETS, TCSETSW, TCSETSF, and the same with a struct termios2. */
		if (ret == 0 && ((args[1] >= 0x5402 && args[1] <= 0x5404) || (args[1] >= 0x402c542b && args[1] <= 0x402c542d)))
			set_mode(args[0], who_is(pid));
		return 0;
	}
	who = who_is(pid);
	if (wants & WANT_PIPED && what == CALL_READ && (u32)args[0] == 0 && who & WHO_STDIN && ret >= 0)
		read_pipe(args[1], args[2], ret);
	if (wants & (WANT_LINES | WANT_CHILD | WANT_OUTPUT))
		read_or_write(what | who << 16, args[0], args[1], args[2], ret);
	return 0;
}
