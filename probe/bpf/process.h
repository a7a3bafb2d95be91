/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A process, whole: after an exec, and for those that were there before. */
#ifndef PROCESS_H
#define PROCESS_H

static __always_inline u32 pid_at(const void *where, u32 level)
{
	struct upid id = {};

	read_upid(&id, where, level);
	return id.nr;
}

static __always_inline s64 nanoseconds(s64 sec, s64 nsec)
{
	return sec * 1000000000 + nsec;
}

static __always_inline void inode_times(struct inode *inode, s64 *ctime, s64 *mtime)
{
	struct inode___v67 *v67 = (void *)inode;
	struct inode___v58 *v58 = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		/* The highest bit is a mark of the kernel's own since 6.13: somebody has asked for the time. */
		*ctime = nanoseconds(BPF_CORE_READ(inode, i_ctime_sec), BPF_CORE_READ(inode, i_ctime_nsec) & ~(1u << 31));
	else if (bpf_core_field_exists(v67->__i_ctime))
		*ctime = nanoseconds(BPF_CORE_READ(v67, __i_ctime.tv_sec), BPF_CORE_READ(v67, __i_ctime.tv_nsec));
	else
		*ctime = nanoseconds(BPF_CORE_READ(v58, i_ctime.tv_sec), BPF_CORE_READ(v58, i_ctime.tv_nsec));
	if (bpf_core_field_exists(inode->i_mtime_sec))
		*mtime = nanoseconds(BPF_CORE_READ(inode, i_mtime_sec), BPF_CORE_READ(inode, i_mtime_nsec));
	else if (bpf_core_field_exists(v67->__i_mtime))
		*mtime = nanoseconds(BPF_CORE_READ(v67, __i_mtime.tv_sec), BPF_CORE_READ(v67, __i_mtime.tv_nsec));
	else
		*mtime = nanoseconds(BPF_CORE_READ(v58, i_mtime.tv_sec), BPF_CORE_READ(v58, i_mtime.tv_nsec));
}

/* in_group reports whether the credentials are a member of a group besides the main one. 64 groups are looked at. */
__noinline int in_group(u64 cred_at, u32 gid)
{
	struct group_info *info = BPF_CORE_READ((struct cred *)cred_at, group_info);
	int n = BPF_CORE_READ(info, ngroups);
	u64 list = (u64)info + bpf_core_field_offset(struct group_info, gid);

	for (int i = 0; i < 64; i++) {
		u32 one = 0;

		if (i >= n)
			break;
		bpf_probe_read_kernel(&one, sizeof(one), (void *)(list + 4 * i));
		if (one == gid)
			return 1;
	}
	return 0;
}

/*
 * put_process fills a record from a task that the verifier knows as such, all but the arguments. It returns where the
 * record ends so far.
 */
static __always_inline u32 put_process(struct process *e, struct task_struct *task, u32 piece)
{
	const struct cred *cred = task->cred;
	struct nsproxy *nsproxy = task->nsproxy;
	struct task_struct *above = task->real_parent;
	u32 pos = sizeof(*e), level = 0;
	struct pid *sid, *pgid, *pid = task->thread_pid;
	struct path path = {};
	struct cgroup_subsys_state *css;
	struct kernfs_node *node = 0;
	struct tty_struct *tty;
	struct file *exe = 0;
	struct mm_struct *mm = task->mm;
	u64 at = 0;

	__builtin_memset(e, 0, sizeof(*e));
	head_of_task(&e->head, task);

	e->cap_permitted = capabilities(&cred->cap_permitted);
	e->cap_inheritable = capabilities(&cred->cap_inheritable);
	e->cap_bounding = capabilities(&cred->cap_bset);
	e->cap_ambient = capabilities(&cred->cap_ambient);
	e->suid = cred->suid.val;
	e->fsuid = cred->fsuid.val;
	e->sgid = cred->sgid.val;
	e->fsgid = cred->fsgid.val;
	e->user_ns = cred->user_ns->ns.inum;
	e->loginuid = e->audit_session = ~0u;
	if (bpf_core_field_exists(task->loginuid))
		e->loginuid = BPF_CORE_READ(task, loginuid.val);
	if (bpf_core_field_exists(task->sessionid))
		e->audit_session = BPF_CORE_READ(task, sessionid);
	if (nsproxy) {
		e->net_ns = nsproxy->net_ns->ns.inum;
		e->uts_ns = nsproxy->uts_ns->ns.inum;
		e->ipc_ns = nsproxy->ipc_ns->ns.inum;
		e->cgroup_ns = nsproxy->cgroup_ns->ns.inum;
	}

	if (pid)
		level = pid->level;
	sid = task->signal->pids[PIDTYPE_SID];
	pgid = task->signal->pids[PIDTYPE_PGID];
	if (sid && pgid) {
		const void *to_sid = &task->signal->pids[PIDTYPE_SID], *to_pgid = &task->signal->pids[PIDTYPE_PGID];

		e->sid = e->vsid = pid_at(to_sid, 0);
		e->pgid = e->vpgid = pid_at(to_pgid, 0);
		if (level) {
			/* A session that was made outside of the namespace has no number in it. */
			e->vsid = sid->level >= level ? pid_at(to_sid, level) : 0;
			e->vpgid = pgid->level >= level ? pid_at(to_pgid, level) : 0;
		}
	}
	tty = task->signal->tty;
	if (tty)
		bpf_probe_read_kernel(e->tty_name, sizeof(e->tty_name), &tty->name);

	/* The chain of parents. Each link is a load that the kernel makes safe; the idle task above init has number 0. */
	for (int i = 0; i < ANCESTORS; i++) {
		struct ancestor *a = &e->ancestors[i];

		a->pid = above->tgid;
		if (!a->pid)
			break;
		a->start = above->group_leader->start_boottime;
		bpf_probe_read_kernel(a->comm, sizeof(a->comm), &above->group_leader->comm);
		e->ancestor_count = i + 1;
		above = above->real_parent;
	}

	if (mm)
		exe = mm->exe_file;
	if (exe) {
		struct inode *inode = exe->f_inode;

		e->exe_ino = BPF_CORE_READ(inode, i_ino);
		e->exe_mode = BPF_CORE_READ(inode, i_mode);
		e->exe_uid = BPF_CORE_READ(inode, i_uid.val);
		e->exe_gid = BPF_CORE_READ(inode, i_gid.val);
		e->exe_dev = BPF_CORE_READ(inode, i_sb, s_dev);
		inode_times(inode, &e->exe_ctime, &e->exe_mtime);
		if (BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS_MAGIC)
			e->exe_flags |= overlay_layer(inode, EXE_UPPER, EXE_LOWER);
		bpf_probe_read_kernel(&at, sizeof(at), &task->cred);
		if (in_group(at, e->exe_gid))
			e->exe_flags |= EXE_IN_GROUP;
		bpf_core_read(&path, sizeof(path), &exe->f_path);
		pos = take_path(&e->exe, pos, put_path((u64)path.dentry, (u64)path.mnt, piece, pos));
		if (dentry_deleted(path.dentry))
			e->exe.flags |= PATH_DELETED;
	}
	if (task->fs) {
		bpf_core_read(&path, sizeof(path), &task->fs->pwd);
		pos = take_path(&e->cwd, pos, put_path((u64)path.dentry, (u64)path.mnt, piece, pos));
		if (dentry_deleted(path.dentry))
			e->cwd.flags |= PATH_DELETED;
	}
	bpf_core_read(&node, sizeof(node), &task->cgroups->dfl_cgrp->kn);
	pos = take_path(&e->cgroup2, pos, put_kernfs((u64)node, piece, pos));
	css = memory_css(task->cgroups);
	if (css) {
		struct kernfs_node *v1 = BPF_CORE_READ(css, cgroup, kn);

		if (v1 != node)
			pos = take_path(&e->cgroup1, pos, put_kernfs((u64)v1, piece, pos));
	}
	return pos;
}

#endif
