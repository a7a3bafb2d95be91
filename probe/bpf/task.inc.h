/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The head of a record. This file is included twice, once for a task that the verifier knows as such (R reads a member
 * with a load) and once for a mere address (R calls bpf_probe_read_kernel for each): bpf_get_current_task_btf is there
 * since 5.11 only, and loads make an event several hundred nanoseconds cheaper.
 */

static __always_inline void FILL_HEAD(struct head *h, struct task_struct *task)
{
	struct task_struct *leader = R(task, group_leader);
	struct task_struct *parent = R(task, real_parent);
	const struct cred *cred = R(task, cred);
	struct nsproxy *nsproxy = R(task, nsproxy);
	struct tty_struct *tty = R(task, signal, tty);
	struct pid *pid = R(task, thread_pid);
	u32 level = 0;

	h->boot = bpf_ktime_get_boot_ns();
	h->cpu = bpf_get_smp_processor_id();
	h->pid = R(task, tgid);
	h->tid = R(task, pid);
	h->start = R(leader, start_boottime);
	h->ppid = R(parent, tgid);
	h->parent_start = R(parent, group_leader, start_boottime);
	h->uid = R(cred, uid.val);
	h->gid = R(cred, gid.val);
	h->euid = R(cred, euid.val);
	h->egid = R(cred, egid.val);
	h->cap_effective = capabilities(__builtin_preserve_access_index(&cred->cap_effective));
	bpf_probe_read_kernel(h->comm, sizeof(h->comm), __builtin_preserve_access_index(&task->comm));

	/* A task that is ending has no namespaces any more. */
	h->mnt_ns = nsproxy ? R(nsproxy, mnt_ns, ns.inum) : 0;

	h->tty = 0;
	if (tty) {
		u32 minor = R(tty, driver, minor_start) + R(tty, index);

		h->tty = (minor & 0xff) | R(tty, driver, major) << 8 | (minor & ~0xffu) << 12;
	}

	/* The ids in the innermost pid namespace. Level 0 is the host, whose namespace has a number that never changes. */
	h->vpid = h->pid;
	h->vtid = h->tid;
	h->pid_ns = 0xeffffffc;
	if (pid)
		level = R(pid, level);
	if (level) {
		struct upid id = {};

		read_upid(&id, __builtin_preserve_access_index(&task->thread_pid), level);
		h->vtid = id.nr;
		h->pid_ns = BPF_CORE_READ(id.ns, ns.inum);
		read_upid(&id, __builtin_preserve_access_index(&leader->thread_pid), level);
		h->vpid = id.nr;
	}

	/* Where version 2 has no groups, those of version 1's memory hierarchy tell containers apart. */
	h->cgroup = R(task, cgroups, dfl_cgrp, kn, id);
	if (!R(task, cgroups, dfl_cgrp, level)) {
		struct cgroup_subsys_state *css = memory_css(R(task, cgroups));

		if (css)
			h->cgroup = BPF_CORE_READ(css, cgroup, kn, id);
	}
}
