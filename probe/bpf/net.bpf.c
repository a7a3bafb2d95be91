/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Calls on sockets. Both ends are taken from the socket itself. Only where it has none (an unconnected datagram, a
 * connect that failed) the address that the call was given counts, which another thread can have changed.
 */

/* put_memory copies len bytes of the process's, at most max, to pos. It returns the number. */
static __always_inline u64 put_memory(u8 *buf, u64 pos, u64 from, u64 len, u64 max)
{
	if (!from)
		return 0;
	if (len > max)
		len = max;
	keep(len);
	if (len > MAX_DATA)
		len = MAX_DATA;
	keep(pos);
	pos &= HEAD_BYTES - 1;
	if (pos > HEAD_BYTES - MAX_DATA)
		return 0;
	if (bpf_probe_read_user(buf + pos, len, (void *)from))
		return 0;
	return len;
}

/* A message's header, as the process has it. */
struct message {
	u64 name;
	u32 name_len;
	u64 vec;
	u64 vec_len;
};

static __always_inline void read_message(struct message *m, u64 at, bool compat)
{
	if (compat) {
		u32 raw[4] = {};

		bpf_probe_read_user(raw, sizeof(raw), (void *)at);
		m->name = raw[0];
		m->name_len = raw[1];
		m->vec = raw[2];
		m->vec_len = raw[3];
	} else {
		u64 raw[4] = {};

		bpf_probe_read_user(raw, sizeof(raw), (void *)at);
		m->name = raw[0];
		m->name_len = (u32)raw[1];
		m->vec = raw[2];
		m->vec_len = raw[3];
	}
}

/* read_vector reads the first piece of a vector. */
static __always_inline void read_vector(u64 *base, u64 *len, u64 at, bool compat)
{
	if (compat) {
		u32 raw[2] = {};

		bpf_probe_read_user(raw, sizeof(raw), (void *)at);
		*base = raw[0];
		*len = raw[1];
	} else {
		u64 raw[2] = {};

		bpf_probe_read_user(raw, sizeof(raw), (void *)at);
		*base = raw[0];
		*len = raw[1];
	}
}

#if defined(__TARGET_ARCH_x86)
/* The calls behind socketcall(2), by their number there. */
const u8 socketcalls[32] = {
	[1] = SYS_SOCKET, [2] = SYS_BIND, [3] = SYS_CONNECT, [4] = SYS_LISTEN, [5] = SYS_ACCEPT, [8] = SYS_SOCKETPAIR,
	[9] = SYS_SENDTO, [10] = SYS_RECVFROM, [11] = SYS_SENDTO, [12] = SYS_RECVFROM, [13] = SYS_SHUTDOWN,
	[16] = SYS_SENDMSG, [17] = SYS_RECVMSG, [18] = SYS_ACCEPT4, [19] = SYS_RECVMMSG, [20] = SYS_SENDMMSG,
};
#endif

SEC("tp_btf/sys_exit")
int BPF_PROG(class_net, struct pt_regs *regs, long ret)
{
	u32 piece = call_piece(), zero = 0, way = WAY_LOOK, data_max;
	struct syscall *e = (struct syscall *)scratch(piece);
	struct controls *ctl = bpf_map_lookup_elem(&control, &zero);
	u64 pos = sizeof(*e), addr = 0, addr_len = 0, data = 0, data_len = 0, at, len;
	u8 *buf = (u8 *)e;
	struct message m = {};
	s32 fd;

	if (!e || !ctl)
		return 0;
	data_max = ctl->data_max;
	begin_call(e, regs, ret);
#if defined(__TARGET_ARCH_x86)
	if (e->id == SYS_SOCKETCALL) {
		u32 args[6] = {};
		u64 which = e->args[0], real;
		bool is_short = which == 9 || which == 10; /* send and recv have no address */

		keep(which);
		real = socketcalls[which & 31];
		keep(real);
		real &= 255;
		if (!real || !wanted[real])
			return 0;
		bpf_probe_read_user(args, sizeof(args), (void *)e->args[1]);
		for (int i = 0; i < 6; i++)
			e->args[i] = is_short && i > 3 ? 0 : args[i];
		e->id = real;
	}
#endif
	fd = e->args[0];
	switch (e->id) {
	case SYS_SOCKET:
		fd = ret;
		break;
	case SYS_SOCKETPAIR:
		fd = -1;
		if (!ret) {
			u32 pair[2] = {};

			bpf_probe_read_user(pair, sizeof(pair), (void *)e->args[3]);
			fd = pair[0];
			e->fd[1].num = pair[1];
		}
		break;
	case SYS_CONNECT:
		way = WAY_CONNECT;
		/* fall through */
	case SYS_BIND:
		addr = e->args[1];
		addr_len = e->args[2];
		break;
	case SYS_ACCEPT:
	case SYS_ACCEPT4:
		way = WAY_ACCEPT;
		e->fd[1].num = fd;
		fd = ret;
		break;
	case SYS_SENDTO:
		way = WAY_SEND;
		data = e->args[1];
		data_len = ret;
		addr = e->args[4];
		addr_len = e->args[5];
		break;
	case SYS_RECVFROM: {
		u32 n = 0;

		way = WAY_RECEIVE;
		data = e->args[1];
		data_len = ret;
		addr = e->args[4];
		if (e->args[5])
			bpf_probe_read_user(&n, sizeof(n), (void *)e->args[5]);
		addr_len = n;
		break;
	}
	case SYS_SENDMSG:
	case SYS_SENDMMSG:
		way = WAY_SEND;
		goto message;
	case SYS_RECVMSG:
	case SYS_RECVMMSG:
		way = WAY_RECEIVE;
	message:
		/* Of several messages the first. */
		read_message(&m, e->args[1], e->compat);
		addr = m.name;
		addr_len = m.name_len;
		read_vector(&data, &len, m.vec, e->compat);
		data_len = ret < 0 ? 0 : len;
		if ((e->id == SYS_SENDMSG || e->id == SYS_RECVMSG) && data_len > (u64)ret)
			data_len = ret;
		e->size = len;
		break;
	}
	if (ret < 0)
		data_len = 0;

	if (addr && addr_len <= 128) {
		at = pos;
		len = put_memory(buf, at, addr, addr_len, 128);
		e->addr.off = at;
		e->addr.len = len;
		pos = at + len;
	}
	if (data_max && data_len) {
		at = pos;
		len = put_memory(buf, at, data, data_len, data_max);
		e->data.off = at;
		e->data.len = len;
		pos = at + len;
	}
	if (fd >= 0) {
		e->fd[0].num = fd;
		pos = put_fd(file_at(fd), piece, __builtin_offsetof(struct syscall, fd), pos, way);
	}
	end_call(e, pos);
	return 0;
}
