/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The few types of the kernel that the programs look at, by hand: only the members that are used, in any order. Their
 * places are put in when a program is loaded (CO-RE), from the running kernel's own description (BTF). The whole
 * description of a kernel would be 2.8 MB of C.
 *
 * A type with ___ in its name is another kernel version's form of the type before the ___.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__ /* libbpf's headers ask for it: registers have the kernel's names */

typedef unsigned char u8, __u8;
typedef unsigned short u16, __u16, __be16, __sum16;
typedef unsigned int u32, __u32, __be32, __wsum;
typedef unsigned long long u64, __u64, __be64;
typedef signed char s8, __s8;
typedef short s16, __s16;
typedef int s32, __s32;
typedef long long s64, __s64;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* From the kernel's interface to user space (linux/bpf.h): these never change. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2, BPF_RB_AVAIL_DATA = 0 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Only asked whether it is there: 5.11 has it. */
enum bpf_func_id { BPF_FUNC_get_current_task_btf = 158 };

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r9, r8, r10, bp, bx, cx, dx, si, di, orig_ax;
};
struct thread_info {
	u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};
struct thread_info {
	unsigned long flags;
};
#else
#error "no such architecture"
#endif

typedef struct { u32 val; } kuid_t;
typedef struct { u32 val; } kgid_t;
typedef struct { int counter; } atomic_t;
/* Two words of 32 bits until 6.3, then one of 64. Either is read whole. */
typedef struct { u64 val; } kernel_cap_t;

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct qstr {
	u32 hash;
	u32 len;
	const unsigned char *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned long i_ino;
	unsigned int i_nlink;
	u32 i_rdev;
	struct super_block *i_sb;
	/* since 6.11 */
	s64 i_mtime_sec, i_ctime_sec;
	u32 i_mtime_nsec, i_ctime_nsec;
};
struct inode___v67 { /* 6.7 to 6.10; 6.6 has __i_ctime and i_mtime */
	struct timespec64 __i_mtime;
	struct timespec64 __i_ctime;
};
struct inode___v58 {
	struct timespec64 i_mtime;
	struct timespec64 i_ctime;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_mode;
	unsigned int f_flags;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct ns_common {
	unsigned int inum;
};
struct mnt_namespace {
	struct ns_common ns;
};
struct uts_namespace {
	struct ns_common ns;
};
struct ipc_namespace {
	struct ns_common ns;
};
struct net {
	struct ns_common ns;
};
struct cgroup_namespace {
	struct ns_common ns;
};
struct user_namespace {
	struct ns_common ns;
};
struct pid_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct group_info {
	int ngroups;
	kgid_t gid[0];
};

struct cred {
	kuid_t uid, suid, euid, fsuid;
	kgid_t gid, sgid, egid, fsgid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	struct user_namespace *user_ns;
	struct group_info *group_info;
};

struct tty_driver {
	int major;
	int minor_start;
};
struct tty_struct {
	struct tty_driver *driver;
	int index;
	char name[64];
};

enum { PIDTYPE_PGID = 2, PIDTYPE_SID = 3 }; /* since 4.19 */

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[4];
	struct tty_struct *tty;
};

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};

struct kernfs_node {
	u64 id;
	const char *name;
	struct kernfs_node *__parent; /* since 6.15 */
};
struct kernfs_node___v58 {
	struct kernfs_node *parent;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
enum cgroup_subsys_id { memory_cgrp_id = 4 }; /* the number is put in at load */
struct css_set {
	struct cgroup_subsys_state *subsys[4];
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct thread_info thread_info;
	struct mm_struct *mm;
	int exit_code;
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	kuid_t loginuid;        /* only with CONFIG_AUDIT */
	unsigned int sessionid; /* likewise */
};

struct linux_binprm {
	const char *filename;
};

struct in6_addr {
	u8 s6_addr[16];
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	u8 skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
	struct sock_common __sk_common;
	u16 sk_type;
	u16 sk_protocol;
	u8 sk_userlocks; /* a field of bits until 6.8, see socket.h */
};
struct inet_sock {
	struct sock sk;
	__be32 inet_saddr;
	__be16 inet_sport;
};
struct socket {
	struct sock *sk;
};
struct sockaddr_un {
	u16 sun_family;
	char sun_path[108];
};
struct unix_address {
	int len;
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
