/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Paths. bpf_d_path is only there for a few hooks, none of which we use, so the tree of directories and mounts is walked
 * here: to the root of the mount namespace, not only to the process's own root, so a chroot hides nothing.
 *
 * The functions are global (neither static nor inline), so the verifier checks each once and by itself instead of at
 * every call: two paths inlined into one program are beyond its limit of a million steps. That is why they have numbers
 * as arguments and look for their memory themselves: 5.10 refuses pointers there.
 */
#ifndef PATH_H
#define PATH_H

/* put_name writes a name and a slash behind pos. It returns the place behind it. */
static __always_inline u64 put_name(u8 *buf, u64 pos, const void *name, u64 len)
{
	u64 end;

	/* NAME_MAX is 255. pos is below HEAD_BYTES and the scratch has 512 bytes more. */
	if (len > 255)
		len = 255;
	keep(len);
	len &= 255;
	keep(pos);
	pos &= HEAD_BYTES - 1;
	bpf_probe_read_kernel(buf + pos, len, name);
	end = pos + len;
	keep(end);
	end &= HEAD_BYTES * 2 - 1;
	if (end >= HEAD_BYTES + 256)
		return pos;
	buf[end] = '/';
	return end + 1;
}

/*
 * put_path writes the path of a dentry below a mount to the piece of scratch, at pos. It returns the number of bytes,
 * and path_flags shifted left by 16. The loop ends by its counter; a path with more names is cut and says so.
 */
__noinline int put_path(u64 dentry_at, u64 mnt_at, u32 piece, u32 start)
{
	u8 *buf = scratch(piece);
	u64 pos = start & (HEAD_BYTES - 1), begin = pos;
	u64 flags = PATH_CUT;
	struct dentry *dentry = (void *)dentry_at, *root;
	struct vfsmount *mnt = (void *)mnt_at;

	if (!buf)
		return 0;
	root = BPF_CORE_READ(mnt, mnt_root);
	for (int i = 0; i < MAX_NAMES; i++) {
		struct {
			struct dentry *parent;
			u32 hash, len;
			const unsigned char *name;
		} d = {};

		if (dentry == root) {
			struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
			struct mount *above = BPF_CORE_READ(m, mnt_parent);

			if (above == m || !above) {
				flags = 0;
				break;
			}
			dentry = BPF_CORE_READ(m, mnt_mountpoint);
			mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);
			root = BPF_CORE_READ(mnt, mnt_root);
			continue;
		}
		if (pos - begin > MAX_PATH - 256)
			break;
		/* On all kernels so far the name stands behind the parent: one read instead of two. */
		if (bpf_core_field_offset(struct dentry, d_name) == bpf_core_field_offset(struct dentry, d_parent) + 8) {
			bpf_core_read(&d, sizeof(d), &dentry->d_parent);
		} else {
			bpf_core_read(&d.parent, sizeof(d.parent), &dentry->d_parent);
			bpf_core_read(&d.hash, 16, &dentry->d_name);
		}
		pos = put_name(buf, pos, d.name, d.len);
		if (!d.parent || d.parent == dentry) {
			flags = PATH_PSEUDO;
			break;
		}
		dentry = d.parent;
	}
	return (int)((pos - begin) & 0xffff) | (int)(flags << 16);
}

/* put_kernfs writes the names from a node of a kernfs (a cgroup) to its root, as put_path does. */
__noinline int put_kernfs(u64 node_at, u32 piece, u32 start)
{
	u8 *buf = scratch(piece);
	u64 pos = start & (HEAD_BYTES - 1), begin = pos;
	u64 flags = PATH_CUT;
	struct kernfs_node *node = (void *)node_at;

	if (!buf)
		return 0;
	for (int i = 0; i < MAX_NAMES; i++) {
		struct kernfs_node *parent;
		const char *name;
		u64 last;
		long len;

		if (bpf_core_field_exists(struct kernfs_node, __parent))
			parent = BPF_CORE_READ(node, __parent);
		else
			parent = BPF_CORE_READ((struct kernfs_node___v58 *)node, parent);
		if (!parent) {
			flags = 0;
			break;
		}
		if (pos - begin > MAX_PATH - 256)
			break;
		name = BPF_CORE_READ(node, name);
		keep(pos);
		pos &= HEAD_BYTES - 1;
		len = bpf_probe_read_kernel_str(buf + pos, 256, name);
		if (len <= 0 || len > 256)
			break;
		/* The NUL becomes a slash. */
		last = len - 1;
		keep(last);
		last &= 255;
		buf[pos + last] = '/';
		pos += last + 1;
		node = parent;
	}
	return (int)((pos - begin) & 0xffff) | (int)(flags << 16);
}

/* take_path notes in the record where a path was put, and gives the place behind it. */
static __always_inline u32 take_path(struct path_text *t, u32 pos, int put)
{
	t->off = pos;
	t->len = put & 0xffff;
	t->flags = (u32)put >> 16;
	return pos + t->len;
}

/* dentry_deleted reports whether a name is gone: the dentry is in no hash chain any more. */
static __always_inline bool dentry_deleted(struct dentry *dentry)
{
	return !BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry;
}

#define OVERLAYFS_MAGIC 0x794c7630

/* overlay_layer tells which layer of an overlay a file is in. The struct around the inode has the upper file's dentry
 * right behind it; where overlayfs is a module, the kernel's BTF does not have that struct. */
static __always_inline u32 overlay_layer(struct inode *inode, u32 upper, u32 lower)
{
	u64 dentry = 0;

	bpf_probe_read_kernel(&dentry, sizeof(dentry), (void *)inode + bpf_core_type_size(struct inode));
	return dentry ? upper : lower;
}

#endif
