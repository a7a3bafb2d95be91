/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the programs write into the rings, and what they are told by user space. Go's types are made from these (make
 * generate), so this file is the only place where they are written down. All members are aligned by their size, with no
 * holes: every byte of a record is written.
 *
 * A record is a fixed part, by its kind, and behind it the texts. A text is named by its place in the record.
 */
#ifndef EVENT_H
#define EVENT_H

/* Kinds of records. The numbers are those of Go's Kind. */
enum kind {
	KIND_NONE,
	KIND_EXEC,
	KIND_FORK,
	KIND_EXIT,
	KIND_SYSCALL,
	KIND_TTY,
	KIND_SNAPSHOT,
	KIND_COUNT = 9,
};

/* Bytes at an offset from the begin of the record. */
struct text {
	u16 off;
	u16 len;
};

/* A path: names, leaf first, each followed by a slash. So it is written while it is walked, and turned round in Go. */
struct path_text {
	u16 off;
	u16 len;
	u32 flags;
};
enum path_flags {
	PATH_PSEUDO = 1,  /* not in the tree of mounts: one name, without a slash */
	PATH_CUT = 2,     /* more names than MAX_NAMES, or longer than MAX_PATH */
	PATH_DELETED = 4, /* the name is gone */
};

/* Who, and when. */
struct head {
	u64 boot;         /* nanoseconds, CLOCK_BOOTTIME */
	u64 start;        /* of the process, likewise */
	u64 parent_start; /* of the parent */
	u64 cgroup;       /* id of the kernfs node */
	u64 cap_effective;
	u32 size;         /* of the record, texts included */
	u16 kind;
	u16 cpu;
	u32 pid, tid, vpid, vtid, ppid;
	u32 uid, gid, euid, egid;
	u32 tty;          /* as stat(2) encodes a device, 0 for none */
	u32 pid_ns, mnt_ns;
	u8 comm[16];      /* what comes after a NUL is rubbish */
};

struct ancestor {
	u64 start;
	u32 pid;
	u32 pad;
	u8 comm[16];
};
enum { ANCESTORS = 8 };

/* KIND_EXEC and KIND_SNAPSHOT. */
struct process {
	struct head head;
	u64 cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	u64 exe_ino;
	s64 exe_ctime, exe_mtime; /* nanoseconds since 1970 */
	u32 exe_dev;              /* as the kernel has it: 12 bits major, 20 bits minor */
	u32 exe_mode, exe_uid, exe_gid;
	u32 exe_flags;
	u32 suid, fsuid, sgid, fsgid;
	u32 loginuid, audit_session;
	u32 user_ns, net_ns, uts_ns, ipc_ns, cgroup_ns;
	s32 sid, pgid, vsid, vpgid;
	u32 args_off, args_len, args_total;
	u32 env_off, env_len, env_total;
	struct path_text exe, cwd, cgroup2, cgroup1;
	struct text filename;
	u32 ancestor_count;
	u8 tty_name[16];
	struct ancestor ancestors[ANCESTORS];
};
enum exe_flags {
	EXE_UPPER = 2,
	EXE_LOWER = 8,
	EXE_IN_GROUP = 256, /* the process is a member of the file's group */
};

/* KIND_FORK. The head is the parent's. */
struct fork {
	struct head head;
	struct head child;
};

/* KIND_EXIT. */
struct exit {
	struct head head;
	s32 code; /* as wait(2) gives it */
	u32 pad;
};

/* An open file. */
struct fd_info {
	s32 num;
	u32 flags;
	u32 mode;
	u32 dev; /* as the kernel has it */
	u64 ino;
	u32 magic; /* of the file system */
	u32 sock_off; /* of a struct sock_info, 0 for none */
	struct path_text path;
};
enum fd_flags {
	FD_PRESENT = 1,
	FD_CREATED = 2,
	FD_UPPER = 4,
	FD_LOWER = 8,
};

/* A socket's own addresses. */
struct sock_info {
	u16 family, type, protocol;
	u8 state, role;
	u16 local_port, remote_port; /* as the machine counts */
	u32 bound; /* the process has chosen the port */
	u8 local[16], remote[16];
	struct text local_path, remote_path; /* sun_path, a NUL first for abstract ones */
};
enum role { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER };

/* KIND_SYSCALL. */
struct syscall {
	struct head head;
	s64 ret;
	u64 args[6];
	u16 id;
	u8 compat;
	u8 cut; /* bit 0, 1: path 0, 1 is longer than what was kept; bit 2, 3: text 0, 1 */
	u32 size; /* bytes asked for in a message's vectors */
	struct text path[2], text[2], addr, data;
	struct path_text base[2];
	struct fd_info fd[2];
};

/* KIND_TTY. */
struct tty {
	struct head head;
	u64 terminal; /* the kernel's address of it, 0 for a pipe */
	u64 number;   /* of the terminal's events */
	u64 ino, pos; /* of a pipe or file: who it is, and where the next read begins */
	u32 kind;     /* enum tty_kind */
	u32 flags;    /* enum tty_flags */
	u32 dev;      /* as stat(2) encodes it */
	s32 fd;
	s32 sid;
	s32 foreground;
	u32 lflag, oflag;
	u32 requested;
	u16 rows, cols;
	struct text data;
	u32 pad;
};
enum tty_kind { TTY_READ = 1, TTY_WRITE, TTY_TERMIOS, TTY_SECRET, TTY_PIPE };
enum tty_flags {
	TTY_SHELL = 1,
	TTY_EDITOR = 2,
	TTY_MORE = 4,
	TTY_CUT = 8,
	TTY_END = 16,
	TTY_INTERPRETER = 32,
};
enum { TTY_DATA = 4096 };

/* Rings. */
enum ring { RING_PROCESS, RING_BULK, RING_COUNT };

/* What user space may change at any time. One value, mapped into user space. */
struct controls {
	/* Set by the reader when it goes to sleep, taken back by who wakes it: one wake-up for each sleep. */
	u32 asleep[RING_COUNT];
	/* How much must wait in a ring before its reader is woken. */
	u32 wake_bytes;
	u32 filters;  /* enum filter */
	u64 epoch;    /* see struct tally */
	u32 data_max; /* bytes of messages to keep, at most MAX_DATA */
	u32 tty_piped; /* shells that read commands from a pipe are of interest */
	u32 pad;
	u32 urgent;   /* set with a record that must not wait; the reader takes it back and does not sleep */
};
enum filter {
	FILTER_COMM = 1,
	FILTER_CGROUP = 2,
	FILTER_READ_ONLY = 4,
	FILTER_FAILED = 8,
};

/* Counters, for each CPU. */
struct tally {
	u64 sent[KIND_COUNT];
	u64 lost[KIND_COUNT];
	/* When the first and the last were lost since user space last changed control.epoch. */
	u64 first[KIND_COUNT];
	u64 last[KIND_COUNT];
	u64 epoch[KIND_COUNT];
	u64 filtered;
};

/* Programs that the dispatcher of system calls goes on to. */
enum class {
	CLASS_NONE,
	CLASS_OPEN,
	CLASS_FILE,
	CLASS_NET,
	CLASS_EXEC,
	CLASS_TTY,
	CLASS_COUNT,
};

/* What is asked for, for one number of a system call. */
struct slot {
	u8 id, class;               /* 64 bit */
	u8 compat_id, compat_class; /* 32 bit */
};
enum { SLOTS = 1024 }; /* the highest number known is 547 (x32) */

/* Limits. */
enum {
	MAX_NAMES = 64,     /* names in a path */
	MAX_PATH = 4096,    /* bytes of a path */
	MAX_DATA = 4096,    /* bytes of a message */
	HEAD_BYTES = 32768, /* of a record but the arguments and the environment */
};

#endif
