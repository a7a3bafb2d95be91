//go:build linux

package probe

// The C is compiled into objects that are committed with the Go that loads them, so that building needs no compiler for
// it. The version of clang is part of what is written: another one writes other bytes. Package pack compresses them.
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -cflags "-O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-declarations -Werror -mcpu=v3" -type head -type text -type ancestor -type process -type fork -type exit -type syscall -type fd_info -type sock_info -type path_text -type controls -type tally -type kind -type class -type path_flags -type fd_flags -type exe_flags -type filter -type syscall_id -type tty -type tty_kind -type tty_flags -type tty_want bpf bpf/probe.bpf.c
//go:generate go run ./pack
