/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Sockets: their own addresses, which nobody but the kernel writes, and which side of the conversation they are. */
#ifndef SOCKET_H
#define SOCKET_H

enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10 };
enum { IPPROTO_TCP = 6 };
#define SOCK_BINDPORT_LOCK 8 /* the process has chosen the port */
#define AT_FDCWD -100

/* How a call uses a socket. */
enum way {
	WAY_LOOK,    /* says nothing of the role */
	WAY_CONNECT,
	WAY_ACCEPT,
	WAY_SEND,
	WAY_RECEIVE,
};

/* The roles that were seen, by the address of the socket; its inode guards against an address that is used again. */
struct role_of {
	u64 ino;
	u64 role;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct role_of);
} roles SEC(".maps");

static __always_inline void put_inet(struct sock_info *s, struct sock *sk)
{
	u16 port = BPF_CORE_READ(sk, __sk_common.skc_dport);

	s->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	s->remote_port = __builtin_bswap16(port);
	if (s->family == AF_INET) {
		/* A socket that is not bound to an address knows the one it sends from once it is connected. */
		u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		if (!local)
			local = BPF_CORE_READ((struct inet_sock *)sk, inet_saddr);
		__builtin_memcpy(s->local, &local, 4);
		bpf_core_read(s->remote, 4, &sk->__sk_common.skc_daddr);
	} else {
		bpf_core_read(s->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(s->remote, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

/* put_unix writes the name of a unix socket to pos. */
static __always_inline u32 put_unix(struct text *t, struct sock *sk, u8 *buf, u32 start)
{
	struct unix_address *addr;
	u64 pos = start, len;

	if (!sk || !bpf_core_type_exists(struct unix_sock))
		return start;
	addr = BPF_CORE_READ((struct unix_sock *)sk, addr);
	if (!addr)
		return start;
	/* The length counts the family, too. */
	len = BPF_CORE_READ(addr, len) - 2;
	if (len > 108)
		return start;
	keep(len);
	len &= 127;
	keep(pos);
	pos &= HEAD_BYTES - 1;
	bpf_probe_read_kernel(buf + pos, len, (void *)addr + bpf_core_field_offset(struct unix_address, name) + 2);
	t->off = pos;
	t->len = len;
	return pos + len;
}

static __always_inline u32 role_of(struct sock_info *s, u64 sk, u64 ino, u32 way)
{
	struct role_of *known = bpf_map_lookup_elem(&roles, &sk);
	struct role_of now = { .ino = ino };

	if (way == WAY_CONNECT)
		now.role = ROLE_CLIENT;
	else if (way == WAY_ACCEPT)
		now.role = ROLE_SERVER;
	else if (known && known->ino == ino)
		return known->role;
	else if (s->protocol == IPPROTO_TCP)
		return ROLE_UNKNOWN; /* made before the probe ran, or nobody asked for its connect or accept */
	else if (!s->bound)
		return ROLE_CLIENT;
	else if (way == WAY_SEND)
		now.role = ROLE_CLIENT;
	else if (way == WAY_RECEIVE)
		now.role = ROLE_SERVER;
	else
		return ROLE_UNKNOWN;
	bpf_map_update_elem(&roles, &sk, &now, BPF_ANY);
	return now.role;
}

/* put_sock writes a sock_info to pos, a multiple of 8, and behind it what it names. It returns the place behind that. */
__noinline int put_sock(u64 file_addr, u32 piece, u32 start, u64 ino, u32 way)
{
	u8 *buf = scratch(piece);
	struct socket *socket = BPF_CORE_READ((struct file *)file_addr, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);
	struct sock_info *s;
	u32 pos = start & (HEAD_BYTES - 8);

	if (!buf)
		return start;
	s = (struct sock_info *)(buf + pos);
	__builtin_memset(s, 0, sizeof(*s));
	pos += sizeof(*s);
	if (!sk)
		return pos;
	s->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	s->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	s->type = BPF_CORE_READ(sk, sk_type);
	s->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (s->family == AF_INET || s->family == AF_INET6) {
		/* A field of bits on older kernels. */
		s->bound = (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK) != 0;
		put_inet(s, sk);
		s->role = role_of(s, (u64)sk, ino, way);
	} else if (s->family == AF_UNIX) {
		pos = put_unix(&s->local_path, sk, buf, pos);
		if (bpf_core_type_exists(struct unix_sock))
			pos = put_unix(&s->remote_path, BPF_CORE_READ((struct unix_sock *)sk, peer), buf, pos);
		if (way == WAY_CONNECT)
			s->role = ROLE_CLIENT;
		else if (way == WAY_ACCEPT)
			s->role = ROLE_SERVER;
	}
	return pos;
}

#endif
