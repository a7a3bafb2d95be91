/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Open files of the task that runs, and its working directory. */
#ifndef FILE_H
#define FILE_H

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define FMODE_CREATED 0x100000 /* since 4.19 */

/* file_at is the address of the open file behind a descriptor, 0 for none. */
static __always_inline u64 file_at(s32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table;
	struct file **files;
	u64 file = 0;

	if (fd < 0)
		return 0;
	table = BPF_CORE_READ(task, files, fdt);
	if ((u32)fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

/*
 * put_fd fills the fd_info that begins at the offset at of the record, and writes what it names behind pos. It returns
 * the place behind that. way is how a socket is used, see put_sock.
 */
__noinline int put_fd(u64 file_addr, u32 piece, u32 at, u32 start, u32 way)
{
	u8 *buf = scratch(piece);
	struct file *file = (void *)file_addr;
	struct fd_info *f;
	struct inode *inode;
	struct super_block *sb;
	struct path path = {};
	u32 pos = start;

	if (!buf || !file)
		return pos;
	f = (struct fd_info *)(buf + (at & 0x3ff));
	f->flags = FD_PRESENT;
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		f->flags |= FD_CREATED;
	inode = BPF_CORE_READ(file, f_inode);
	f->mode = BPF_CORE_READ(inode, i_mode);
	f->ino = BPF_CORE_READ(inode, i_ino);
	sb = BPF_CORE_READ(inode, i_sb);
	f->dev = BPF_CORE_READ(sb, s_dev);
	f->magic = BPF_CORE_READ(sb, s_magic);
	if ((f->mode & S_IFMT) == S_IFSOCK) {
		pos = (pos + 7) & (HEAD_BYTES - 8);
		f->sock_off = pos;
		return put_sock(file_addr, piece, pos, f->ino, way);
	}
	if (f->magic == OVERLAYFS_MAGIC)
		f->flags |= overlay_layer(inode, FD_UPPER, FD_LOWER);
	bpf_core_read(&path, sizeof(path), &file->f_path);
	pos = take_path(&f->path, pos, put_path((u64)path.dentry, (u64)path.mnt, piece, pos));
	if (dentry_deleted(path.dentry))
		f->path.flags |= PATH_DELETED;
	return pos;
}

/* put_base writes the path of the directory that a relative path starts from. */
static __always_inline u32 put_base(struct path_text *t, s32 dir, u32 piece, u32 pos)
{
	struct path path = {};

	if (dir == AT_FDCWD) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();
		struct fs_struct *fs = BPF_CORE_READ(task, fs);

		bpf_core_read(&path, sizeof(path), &fs->pwd);
	} else {
		struct file *file = (void *)file_at(dir);

		if (!file)
			return pos;
		bpf_core_read(&path, sizeof(path), &file->f_path);
	}
	return take_path(t, pos, put_path((u64)path.dentry, (u64)path.mnt, piece, pos));
}

/* put_text copies a text of the process's to pos. It returns its length, and with TEXT_CUT that it was longer. */
#define TEXT_CUT 0x10000
__noinline int put_text(u64 from, u32 piece, u32 start)
{
	u8 *buf = scratch(piece);
	u64 pos = start;
	long len;

	if (!buf || !from)
		return 0;
	if (pos > HEAD_BYTES - MAX_PATH)
		return TEXT_CUT;
	len = bpf_probe_read_user_str(buf + pos, MAX_PATH, (void *)from);
	if (len <= 0)
		return 0;
	return (int)(len - 1) | (len >= MAX_PATH ? TEXT_CUT : 0);
}

/* take_text notes where a text was put. */
static __always_inline u32 take_text(struct text *t, u32 pos, int put)
{
	t->off = pos;
	t->len = put & 0xffff;
	return pos + t->len;
}

#endif
