//go:build linux

// Command act does what rules look for, one thing for each name. The tests of the probe run it.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fail("expected the name of an action")
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "true":
	case "run": // run PROGRAM ARGS…, as a child
		command := exec.Command(args[0], args[1:]...)
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		_ = command.Run() // what came of it does not matter
	case "as": // as UID PROGRAM ARGS…, as a child
		var uid uint32
		check(fmt.Sscan(args[0], &uid))
		command := exec.Command(args[1], args[2:]...)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		_ = command.Run()
	case "open": // open PATH, as it is written
		fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
	case "write": // write PATH: opens it with O_TRUNC
		fd, err := unix.Open(args[0], unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
		check(0, err)
		_ = unix.Close(fd)
	case "later": // later SECONDS PATH: opens the file after a while
		wait, err := time.ParseDuration(args[0])
		check(0, err)
		time.Sleep(wait)
		_, err = os.ReadFile(args[1])
		check(0, err)
	case "memfd":
		memfd(args)
	case "attach":
		attach()
	case "traceme":
		runtime.LockOSThread()
		_, _, _ = syscall.RawSyscall(syscall.SYS_PTRACE, uintptr(syscall.PTRACE_TRACEME), 0, 0)
	case "packet":
		_, _ = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0) // allowed or not
	case "module":
		_ = unix.FinitModule(-1, "", 0)
	case "redirect":
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		check(0, err)
		check(0, unix.Dup3(fd, 0, 0))
	case "connect": // connect HOST:PORT
		conn, err := net.DialTimeout("tcp", args[0], time.Second)
		if err == nil {
			_ = conn.Close()
		}
	case "outside": // outside ADDRESS PORT: connects to an address that only its own network has
		outside(args[0], args[1])
	default:
		fail("no action " + os.Args[1])
	}
}

// memfd runs this program from memory.
func memfd(args []string) {
	fd, err := unix.MemfdCreate("payload", 0)
	check(0, err)
	self, err := os.ReadFile("/proc/self/exe")
	check(0, err)
	file := os.NewFile(uintptr(fd), "memfd")
	check(file.Write(self))
	check(0, syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", fd), append([]string{"payload", "true"}, args...), os.Environ()))
}

// attach traces a child for a moment.
func attach() {
	runtime.LockOSThread()
	child := exec.Command("/proc/self/exe", "later", "1s", "/dev/null")
	check(0, child.Start())
	check(0, syscall.PtraceAttach(child.Process.Pid))
	var status syscall.WaitStatus
	_, _ = syscall.Wait4(child.Process.Pid, &status, 0, nil)
	var word [8]byte
	_, _ = syscall.PtracePokeText(child.Process.Pid, 0, word[:]) // fails at address 0, and is seen all the same
	_ = syscall.PtraceDetach(child.Process.Pid)
	_ = child.Process.Kill()
}

// outside makes a network of its own, in which the loopback has the address, and connects to itself.
func outside(address, port string) {
	runtime.LockOSThread()
	check(0, unix.Unshare(unix.CLONE_NEWNET))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	check(0, err)
	request, err := unix.NewIfreq("lo")
	check(0, err)
	check(0, request.SetInet4Addr(net.ParseIP(address).To4()))
	check(0, unix.IoctlIfreq(fd, unix.SIOCSIFADDR, request))
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	check(0, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
	var number int
	check(fmt.Sscan(port, &number))
	var peer unix.SockaddrInet4
	peer.Port = number
	copy(peer.Addr[:], net.ParseIP(address).To4())
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	check(0, err)
	check(0, unix.Bind(listener, &peer))
	check(0, unix.Listen(listener, 1))
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	check(0, err)
	check(0, unix.Connect(client, &peer))
}

func check[T any](_ T, err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, "act:", strings.Join(os.Args[1:], " ")+":", text)
	os.Exit(1)
}
