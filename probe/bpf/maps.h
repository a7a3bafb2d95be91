/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Maps and settings that several programs use, and the way of a record into a ring. */
#ifndef MAPS_H
#define MAPS_H

/*
 * Settings that hold as long as the programs do. The verifier takes them for constants, so what is switched off costs
 * nothing, and sizes made of them are bounds that it believes.
 */
const volatile u32 cpus = 1;          /* possible ones */
const volatile u32 self = 0;          /* this process, as the host sees it */
const volatile u32 args_max = 32768;  /* bytes of arguments */
const volatile u32 env_max = 0;       /* bytes of environment */
const volatile bool with_threads = false;

/* Rings (since 5.8): all CPUs share one, so what one process does comes in order wherever it runs. Sizes are set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} process_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} bulk_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct controls);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct tally);
} counters SEC(".maps");

/*
 * Where records are put together, a piece of memory for each CPU and each hook. A program of one hook is never
 * interrupted by itself on its CPU: the kernel counts and leaves out a run that would be (since 5.12, Stats shows it
 * as busy), so the pieces of different hooks must differ, and those of one need not.
 *
 * Plain arrays by the number of the CPU, because a value of a per-CPU array is at most 32 KiB and looking one up is a
 * call on most kernels. The last element of whole_scratch is the iterator's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, HEAD_BYTES + 512);
} call_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, HEAD_BYTES + 512); /* and the arguments and the environment, set at load */
} whole_scratch SEC(".maps");

#define WHOLE 0x10000 /* set in the number of a piece of whole_scratch */

static __always_inline u8 *scratch(u32 piece)
{
	u32 key = piece & 0xffff;

	if (piece & WHOLE)
		return bpf_map_lookup_elem(&whole_scratch, &key);
	return bpf_map_lookup_elem(&call_scratch, &key);
}

/* keep makes the compiler forget what it knows of x, so that a check behind it stays where the verifier sees it. */
#define keep(x) asm volatile("" : "+r"(x))

/* lose counts a record that found no room. */
static __always_inline void lose(struct tally *c, struct controls *ctl, u32 kind, u64 now)
{
	u64 epoch = ctl->epoch;

	c->lost[kind]++;
	if (c->epoch[kind] != epoch) {
		c->epoch[kind] = epoch;
		c->first[kind] = now;
	}
	c->last[kind] = now;
}

/*
 * wake says whether this record must wake the reader: when enough waits and nobody has woken it since it went to sleep.
 * Without this every record would, which costs the process that causes it 4 us.
 */
static __always_inline u64 wake(void *ring, u32 which, struct controls *ctl, bool now)
{
	if (now)
		ctl->urgent = 1;
	if (!ctl->asleep[which])
		return BPF_RB_NO_WAKEUP;
	if (!now && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < ctl->wake_bytes)
		return BPF_RB_NO_WAKEUP;
	ctl->asleep[which] = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/*
 * emit copies a record into a ring. now wakes the reader whatever waits: for what people look at while it happens. The
 * record's head has its kind; its size is set here. The caller has made sure that size is within the scratch.
 */
static __always_inline void emit(u32 which, struct head *h, u64 size, u32 kind, bool now)
{
	u32 zero = 0;
	struct tally *c = bpf_map_lookup_elem(&counters, &zero);
	struct controls *ctl = bpf_map_lookup_elem(&control, &zero);
	long failed;

	if (!c || !ctl || kind >= KIND_COUNT)
		return;
	h->size = size;
	h->kind = kind;
	if (which == RING_PROCESS)
		failed = bpf_ringbuf_output(&process_ring, h, size, wake(&process_ring, RING_PROCESS, ctl, now));
	else
		failed = bpf_ringbuf_output(&bulk_ring, h, size, wake(&bulk_ring, RING_BULK, ctl, now));
	if (failed)
		lose(c, ctl, kind, h->boot);
	else
		c->sent[kind]++;
}

/* count_filtered counts what control.filters left out. */
static __always_inline void count_filtered(void)
{
	u32 zero = 0;
	struct tally *c = bpf_map_lookup_elem(&counters, &zero);

	if (c)
		c->filtered++;
}

#endif
