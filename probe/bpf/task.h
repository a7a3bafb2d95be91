/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is said about a task in every record. */
#ifndef TASK_H
#define TASK_H

/*
 * read_upid reads what a pid is at a level. where is the address of the pointer to it. That is read once more, because
 * the result is a number: 5.10 allows no arithmetic with what it knows to be a struct pid, and the array has no length
 * that the verifier could check.
 */
static __always_inline void read_upid(struct upid *id, const void *where, u32 level)
{
	u64 pid = 0;
	struct {
		int nr;
		u32 pad;
		struct pid_namespace *ns;
	} raw = {};

	bpf_probe_read_kernel(&pid, sizeof(pid), where);
	bpf_probe_read_kernel(&raw, sizeof(raw),
			      (void *)(pid + bpf_core_field_offset(struct pid, numbers) + (u64)level * bpf_core_type_size(struct upid)));
	id->nr = raw.nr;
	id->ns = raw.ns;
}

/* capabilities reads a set whole: two words of 32 bits until 6.3, one of 64 since. */
static __always_inline u64 capabilities(const void *at)
{
	u64 caps = 0;

	bpf_probe_read_kernel(&caps, sizeof(caps), at);
	return caps;
}

/* memory_css is the state of version 1's memory hierarchy; null where the kernel has none. */
static __always_inline struct cgroup_subsys_state *memory_css(struct css_set *set)
{
	struct cgroup_subsys_state *css = 0;

	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		u64 at = (u64)set + bpf_core_field_offset(struct css_set, subsys) +
			 8 * bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);

		bpf_probe_read_kernel(&css, sizeof(css), (void *)at);
	}
	return css;
}

#define R(...) ___arrow(__VA_ARGS__)
#define FILL_HEAD head_of_task
#include "task.inc.h"
#undef R
#undef FILL_HEAD

#define R(...) BPF_CORE_READ(__VA_ARGS__)
#define FILL_HEAD head_of_address
#include "task.inc.h"
#undef R
#undef FILL_HEAD

#define HAVE_TASK_BTF bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

/* head_of_current fills the head of a record about the task that runs. The verifier sees one of the two branches. */
static __always_inline void head_of_current(struct head *h)
{
	if (HAVE_TASK_BTF)
		head_of_task(h, bpf_get_current_task_btf());
	else
		head_of_address(h, (struct task_struct *)bpf_get_current_task());
}

#endif
