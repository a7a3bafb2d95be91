package falcoevent

import (
	"net/netip"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

// use says which of a call's descriptors the fields of fd are about.
type use uint8

const (
	usesNone use = iota
	usesFD       // one that the call works on
	makesFD      // one that the call makes: it is missing when the call fails
	usesFD2      // the one that the call copies, or the directory that its path is relative to
)

// fdUse is for each call what Falco takes for its descriptor.
func fdUse(id probe.SyscallID) use {
	switch id {
	case probe.SysOpen, probe.SysOpenat, probe.SysOpenat2, probe.SysCreat, probe.SysOpenByHandleAt, probe.SysSocket, probe.SysAccept,
		probe.SysAccept4, probe.SysMemfdCreate, probe.SysUserfaultfd, probe.SysBpf, probe.SysPidfdOpen, probe.SysPidfdGetfd,
		probe.SysIOURingSetup, probe.SysSocketpair:
		return makesFD
	case probe.SysFchmod, probe.SysFchown, probe.SysFchdir, probe.SysSetns, probe.SysFinitModule, probe.SysConnect, probe.SysBind,
		probe.SysListen, probe.SysSendto, probe.SysSendmsg, probe.SysSendmmsg, probe.SysRecvfrom, probe.SysRecvmsg, probe.SysRecvmmsg,
		probe.SysShutdown:
		return usesFD
	case probe.SysDup, probe.SysDup2, probe.SysDup3, probe.SysFcntl, probe.SysMkdirat, probe.SysMknodat, probe.SysUnlinkat,
		probe.SysSymlinkat, probe.SysFchmodat, probe.SysFchownat:
		return usesFD2
	}
	return usesNone
}

// copies reports whether a call gives another descriptor for a file that has one.
func copies(id probe.SyscallID) bool {
	switch id {
	case probe.SysDup, probe.SysDup2, probe.SysDup3, probe.SysFcntl:
		return true
	}
	return false
}

// opensFile reports whether a call gives a descriptor for a path.
func opensFile(id probe.SyscallID) bool {
	switch id {
	case probe.SysOpen, probe.SysOpenat, probe.SysOpenat2, probe.SysCreat, probe.SysOpenByHandleAt:
		return true
	}
	return false
}

// fdType is what Falco calls a kind of descriptor, and its letter.
type fdType struct{ name, letter string }

var (
	unknownFD   = fdType{"<NA>", "o"}
	fileFD      = fdType{"file", "f"}
	directoryFD = fdType{"directory", "d"}
	ipv4FD      = fdType{"ipv4", "4"}
	ipv6FD      = fdType{"ipv6", "6"}
	ipv4Server  = fdType{"ipv4", "2"} // bound or listening, without a peer
	ipv6Server  = fdType{"ipv6", "3"}
)

// descriptor is the descriptor of the event, and the side of a connection that it is.
type descriptor struct {
	fd     *probe.FD // nil when there is none, or the call that should have made it failed
	number int64
	typ    fdType

	server        bool // bound or listening: local is the only address
	role          probe.Role
	local, remote netip.AddrPort
	hasFD         bool // the call has a descriptor at all
	connected     bool
	changed       bool // the call changed the name: a datagram to another peer than the last
	unixPath      string
	proto         string
}

// peers remembers whom unconnected sockets spoke to last.
type peers struct {
	last map[peerKey]netip.AddrPort
}

type peerKey struct {
	process probe.Key
	fd      int32
}

// maxPeers bounds them; beyond it all are forgotten, and the next datagram of each counts as one to a new peer.
const maxPeers = 8192

// changed reports whether a socket speaks to another peer than the last time.
func (p *peers) changed(key peerKey, to netip.AddrPort) bool {
	if last, ok := p.last[key]; ok && last == to {
		return false
	}
	if p.last == nil || len(p.last) >= maxPeers {
		p.last = make(map[peerKey]netip.AddrPort, 64)
	}
	p.last[key] = to
	return true
}

// setDescriptor finds the descriptor of a call.
func (e *Event) setDescriptor(s *probe.Syscall) {
	d := &e.fd
	*d = descriptor{number: -1}
	var fd *probe.FD
	switch fdUse(s.ID) {
	case usesNone:
		return
	case makesFD:
		fd = &s.FD
		if s.ID == probe.SysSocketpair {
			d.hasFD = true
			return
		}
	case usesFD:
		fd = &s.FD
	case usesFD2:
		fd = &s.FD2
	}
	d.hasFD = true
	d.number = int64(fd.Num)
	if fd.Num < 0 {
		if fdUse(s.ID) == makesFD {
			d.number = -1
		}
		return
	}
	if fd == &s.FD2 && s.FD.Num >= 0 && !s.Failed() && copies(s.ID) {
		fd = &s.FD // the same file, which is known by its copy
	}
	d.fd = fd
	d.typ = typeOf(fd, opensFile(s.ID))
	if fd.Type == probe.FDSocket {
		e.setSocket(s, fd)
	}
}

func typeOf(fd *probe.FD, opened bool) fdType {
	switch fd.Type {
	case probe.FDFile, probe.FDCharDevice, probe.FDBlockDevice, probe.FDSymlink, probe.FDNamespace:
		return fileFD
	case probe.FDDirectory:
		return directoryFD
	case probe.FDPipe:
		if opened { // a named pipe is a file to Falco
			return fileFD
		}
		return fdType{"pipe", "p"}
	case probe.FDEvent:
		return fdType{"event", "e"}
	case probe.FDSignal:
		return fdType{"signalfd", "s"}
	case probe.FDEpoll:
		return fdType{"eventpoll", "l"}
	case probe.FDInotify:
		return fdType{"inotify", "i"}
	case probe.FDTimer:
		return fdType{"timerfd", "t"}
	case probe.FDUserfault:
		return fdType{"userfaultfd", "u"}
	case probe.FDBPF:
		return fdType{"bpf", "b"}
	case probe.FDIOURing:
		return fdType{"io_uring", "r"}
	case probe.FDPidfd:
		return fdType{"pidfd", "P"}
	case probe.FDMemfd:
		return fdType{"memfd", "m"}
	case probe.FDSocket:
		switch fd.Socket.Family {
		case familyINET:
			return ipv4FD
		case familyINET6:
			return ipv6FD
		case familyUnix:
			return fdType{"unix", "u"}
		case familyNetlink:
			return fdType{"netlink", "n"}
		}
	}
	return unknownFD
}

// The families, types and protocols that Falco tells apart (socket(2), ip(7)).
const (
	familyUnix    = 1
	familyINET    = 2
	familyINET6   = 10
	familyNetlink = 16

	sockStream = 1
	sockDgram  = 2
	sockRaw    = 3

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	tcpListen = 10
)

// setSocket finds out both ends of a socket, and which of them the process is.
func (e *Event) setSocket(s *probe.Syscall, fd *probe.FD) {
	d, socket := &e.fd, &fd.Socket
	if socket.Family == familyUnix {
		d.unixPath = firstText(s.Addr.Path, socket.RemotePath, socket.LocalPath)
		return
	}
	if socket.Family != familyINET && socket.Family != familyINET6 {
		return
	}
	d.proto = protocol(uint32(socket.Type), uint32(socket.Protocol))
	d.local, d.remote, d.role, d.connected = socket.Local, socket.Remote, socket.Role, socket.Connected
	switch s.ID {
	case probe.SysSocket:
		d.role = probe.RoleUnknown // it is nobody's end yet
	case probe.SysConnect:
		d.role = probe.RoleClient
		if s.Addr.IP.IsValid() {
			d.remote = s.Addr.IP
		}
		d.connected = !s.Failed() || s.Errno() == eInProgress
		if !d.connected {
			d.role = probe.RoleUnknown // it stays what it was before; the name tells whom it was meant for
		}
	case probe.SysAccept, probe.SysAccept4:
		d.role = probe.RoleServer
		if !d.remote.IsValid() {
			d.remote = s.Addr.IP
		}
	case probe.SysBind:
		if s.Addr.IP.IsValid() && !s.Failed() {
			d.local = s.Addr.IP
		}
		d.server = !s.Failed() && d.local.Port() != 0
	case probe.SysListen:
		d.server = d.local.Port() != 0
	case probe.SysSendto, probe.SysSendmsg, probe.SysSendmmsg:
		e.datagram(s, probe.RoleClient)
	case probe.SysRecvfrom, probe.SysRecvmsg, probe.SysRecvmmsg:
		e.datagram(s, probe.RoleServer)
	default:
		d.server = socket.State == tcpListen && socket.Type == sockStream
	}
	if d.server {
		d.role = probe.RoleServer
	}
	v4 := d.local.Addr().Unmap().Is4() || d.remote.Addr().Unmap().Is4()
	switch {
	case d.server && (socket.Family == familyINET || v4):
		d.typ = ipv4Server
	case d.server:
		d.typ = ipv6Server
	case v4:
		d.typ = ipv4FD
	}
}

const eInProgress = 115

// datagram takes the peer from the call where the socket has none. guess is the role when nobody knows.
func (e *Event) datagram(s *probe.Syscall, guess probe.Role) {
	d := &e.fd
	if !d.connected && s.Addr.IP.IsValid() {
		d.remote = s.Addr.IP
		d.changed = e.peers.changed(peerKey{e.probe.Task.Key, s.FD.Num}, s.Addr.IP)
	}
	if d.role == probe.RoleUnknown && d.proto != "tcp" && d.remote.IsValid() {
		d.role = guess
	}
}

func protocol(typ, protocol uint32) string {
	if typ == sockRaw {
		return "raw"
	}
	switch protocol {
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	case protoICMP, protoICMPv6:
		return "icmp"
	case 0:
		switch typ {
		case sockStream:
			return "tcp"
		case sockDgram:
			return "udp"
		}
	}
	return ""
}

// ends are the client's and the server's addresses; ok is false while the role is not known.
func (d *descriptor) ends() (client, server netip.AddrPort, ok bool) {
	switch {
	case d.server:
		return netip.AddrPort{}, d.local, true
	case d.role == probe.RoleClient:
		return d.local, d.remote, true
	case d.role == probe.RoleServer:
		return d.remote, d.local, true
	}
	return netip.AddrPort{}, netip.AddrPort{}, false
}

// isIP reports whether it is a socket of the Internet families.
func (d *descriptor) isIP() bool {
	return d.fd != nil && d.fd.Type == probe.FDSocket && (d.fd.Socket.Family == familyINET || d.fd.Socket.Family == familyINET6)
}

func (e *Event) fdField(id field.ID, arg field.Arg) field.Value {
	d := &e.fd
	if !d.hasFD {
		return field.Value{}
	}
	switch id {
	case field.FdNum:
		return field.Int(d.number)
	case field.FdTypechar:
		return field.Text(e.fdLetter())
	case field.FdName:
		return e.fdName()
	case field.FdDirectory:
		return e.fdDirectory()
	case field.FdNameraw:
		return e.fdNameRaw()
	case field.FdUID:
		start := len(e.buf)
		e.buf = appendInt(appendInt(e.buf, int64(e.probe.Task.TID)), d.number)
		return field.Text(e.text(start))
	}
	if d.fd == nil {
		return field.Value{}
	}
	switch id {
	case field.FdType:
		return field.Text(d.typ.name)
	case field.FdFilename:
		if d.typ == fileFD {
			if name := e.fdName(); name.Exists() {
				return field.Text(lastPart(name.Str()))
			}
		}
	case field.FdL4proto:
		if !d.isIP() || d.proto == "" || d.role == probe.RoleUnknown && d.proto != "raw" {
			return field.Text("<NA>")
		}
		return field.Text(d.proto)
	case field.FdSockfamily:
		switch {
		case d.isIP():
			return field.Text("ip")
		case d.typ.name == "unix":
			return field.Text("unix")
		}
	case field.FdIsServer:
		return field.Bool(d.role == probe.RoleServer)
	case field.FdConnected:
		return field.Bool(d.connected)
	case field.FdNameChanged:
		return field.Bool(d.changed)
	case field.FdDev:
		return field.Int(int64(uint32(device(d.fd.Dev)))) //nolint:gosec // a device number
	case field.FdDevMajor:
		return field.Uint(major(d.fd.Dev))
	case field.FdDevMinor:
		return field.Uint(minor(d.fd.Dev))
	case field.FdIno:
		return field.Int(int64(d.fd.Ino)) //nolint:gosec // shown as Falco shows it
	case field.FdIsUpperLayer:
		return field.Bool(d.fd.UpperLayer)
	case field.FdIsLowerLayer:
		return field.Bool(d.fd.LowerLayer)
	case field.FdContainername:
		name := e.fdName()
		return e.inContainer(name)
	case field.FdContainerdirectory:
		return e.inContainer(e.fdDirectory())
	default:
		if d.isIP() {
			return e.socketField(id, arg)
		}
	}
	return field.Value{}
}

func (e *Event) inContainer(v field.Value) field.Value {
	if !v.Exists() {
		return v
	}
	start := len(e.buf)
	e.buf = append(append(append(e.buf, e.containerID()...), ':'), v.Str()...)
	return field.Text(e.text(start))
}

// socketField gives what is about addresses.
func (e *Event) socketField(id field.ID, arg field.Arg) field.Value {
	d := &e.fd
	client, server, ok := d.ends()
	switch id {
	case field.FdIP, field.FdNet, field.FdPort, field.FdProto:
		source, destination := client, server
		if !ok {
			source, destination = d.local, d.remote
		}
		if d.server {
			source = server
			if arg.At > 0 {
				return field.Value{}
			}
		}
		end := source
		switch arg.At {
		case 0:
		case 1:
			end = destination
		default:
			return field.Value{}
		}
		if id == field.FdPort || id == field.FdProto {
			return field.Uint(uint64(end.Port()))
		}
		return field.Addr(end.Addr())
	}
	if !ok {
		return field.Value{}
	}
	switch id {
	case field.FdSIP, field.FdSnet:
		return field.Addr(server.Addr())
	case field.FdSport:
		return field.Uint(uint64(server.Port()))
	case field.FdSproto:
		return field.Text(e.service(server.Port()))
	case field.FdSIPName:
		return e.hostName(server)
	}
	if d.server {
		return field.Value{}
	}
	switch id {
	case field.FdCIP, field.FdCnet:
		return field.Addr(client.Addr())
	case field.FdCport:
		return port(client)
	case field.FdCproto:
		return field.Text(e.service(client.Port()))
	case field.FdCIPName:
		return e.hostName(client)
	case field.FdLIPName:
		return e.hostName(d.local)
	case field.FdRIPName:
		return e.hostName(d.remote)
	case field.FdLIP, field.FdLnet:
		return field.Addr(d.local.Addr())
	case field.FdRIP, field.FdRnet:
		return field.Addr(d.remote.Addr())
	case field.FdLport:
		return port(d.local)
	case field.FdRport:
		return port(d.remote)
	case field.FdLproto:
		return field.Text(e.service(d.local.Port()))
	case field.FdRproto:
		return field.Text(e.service(d.remote.Port()))
	}
	return field.Value{}
}

// hostName is the name that a rule has for an address. No server is asked for names.
func (e *Event) hostName(a netip.AddrPort) field.Value {
	if e.node.HostName == nil {
		return field.Value{}
	}
	if name := e.node.HostName(a.Addr()); name != "" {
		return field.Text(name)
	}
	return field.Value{}
}

func port(a netip.AddrPort) field.Value {
	if !a.IsValid() {
		return field.Value{}
	}
	return field.Uint(uint64(a.Port()))
}

// service gives a port as a text. Falco resolves it to the name of a service only where that is switched on.
func (e *Event) service(port uint16) string {
	start := len(e.buf)
	e.buf = appendInt(e.buf, int64(port))
	return e.text(start)
}

// fdLetter is the letter of the type. A call that fails still says what it would have made.
func (e *Event) fdLetter() string {
	if e.fd.fd != nil {
		return e.fd.typ.letter
	}
	switch e.sys.ID {
	case probe.SysOpen, probe.SysOpenat, probe.SysOpenat2, probe.SysCreat:
		return "f"
	case probe.SysSocket, probe.SysAccept, probe.SysAccept4:
		return "4"
	}
	return "o"
}

// fdName is the absolute path of a file, or both ends of a socket.
func (e *Event) fdName() field.Value {
	if e.have&haveName != 0 {
		return field.Text(e.name)
	}
	e.have |= haveName
	e.name = e.makeName()
	return field.Text(e.name)
}

func (e *Event) makeName() string {
	d, s := &e.fd, e.sys
	switch {
	case d.isIP():
		return e.socketName()
	case d.fd != nil && d.typ.name == "unix":
		return d.unixPath
	case opensFile(s.ID) && s.ID != probe.SysOpenByHandleAt && (d.fd == nil || !e.resolved && !s.Path.Cut && s.Path.Raw != ""):
		return e.absolute(&s.Path)
	case d.fd != nil:
		return d.fd.Path
	case s.ID == probe.SysConnect || s.ID == probe.SysAccept || s.ID == probe.SysAccept4:
		return e.addressName()
	}
	return ""
}

// socketName is "client->server", or the address of a server.
func (e *Event) socketName() string {
	d := &e.fd
	start := len(e.buf)
	client, server, ok := d.ends()
	switch {
	case d.server:
		e.buf = appendAddress(e.buf, server)
	case ok:
		e.buf = appendTuple(e.buf, client, server)
	case e.sys.ID == probe.SysConnect:
		return e.addressName()
	case d.remote.IsValid() && d.remote.Port() != 0:
		e.buf = appendTuple(e.buf, d.local, d.remote)
	case d.local.Port() != 0:
		e.buf = appendAddress(e.buf, d.local)
	}
	return e.text(start)
}

// addressName is the address that a call was given.
func (e *Event) addressName() string {
	a := &e.sys.Addr
	if !a.IP.IsValid() {
		return a.Path
	}
	start := len(e.buf)
	e.buf = appendTuple(e.buf, e.fd.local, a.IP)
	return e.text(start)
}

func appendTuple(dst []byte, from, to netip.AddrPort) []byte {
	return appendAddress(append(appendAddress(dst, from), "->"...), to)
}

// appendAddress adds "address:port", with IPv6 as plain as IPv4.
func appendAddress(dst []byte, a netip.AddrPort) []byte {
	addr := a.Addr().Unmap()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	dst = addr.AppendTo(dst)
	return appendInt(append(dst, ':'), int64(a.Port()))
}

func (e *Event) fdDirectory() field.Value {
	d := &e.fd
	if d.fd != nil && d.typ != fileFD && d.typ != directoryFD {
		return field.Value{}
	}
	name := e.fdName().Str()
	if d.typ == directoryFD && d.fd != nil {
		return field.Text(name)
	}
	at := strings.LastIndexByte(name, '/')
	switch {
	case at <= 0:
		return field.Text("/")
	case at < len(name)-1:
		return field.Text(name[:at])
	}
	return field.Text(name)
}

// fdNameRaw is the path as the call has it, with doubled slashes made one.
func (e *Event) fdNameRaw() field.Value {
	if !opensFile(e.sys.ID) {
		return field.Value{}
	}
	raw := e.sys.Path.Raw
	if !strings.Contains(raw, "//") {
		return field.Text(raw)
	}
	start := len(e.buf)
	for i := range len(raw) {
		if raw[i] == '/' && i > 0 && raw[i-1] == '/' {
			continue
		}
		e.buf = append(e.buf, raw[i])
	}
	return field.Text(e.text(start))
}

// Elsewhere reports whether the kernel came to another path than the call names: the way led through a symbolic link,
// or another thread changed the path while it was read. Then rules should see both; see [Event.Resolve]. That /bin, /lib
// and their like are links into /usr is so everywhere and does not count.
func (e *Event) Elsewhere() bool {
	s := e.sys
	if s == nil || !opensFile(s.ID) || e.fd.fd == nil || e.resolved || s.Path.Cut || s.Path.Raw == "" || s.ID == probe.SysOpenByHandleAt {
		return false
	}
	asked, found := e.fdName().Str(), e.fd.fd.Path
	return asked != found && (len(found) != len("/usr")+len(asked) || found[len("/usr"):] != asked || found[:len("/usr")] != "/usr")
}

// Resolve lets fd.name and what follows from it be the path that the kernel came to, instead of the one that the call
// names.
func (e *Event) Resolve() {
	e.resolved = true
	e.have &^= haveName
}

// device is a device number in the form of new_encode_dev, which Falco uses.
func device(dev uint64) uint64 {
	ma, mi := major(dev), minor(dev)
	return mi&0xff | ma<<8 | (mi&^0xff)<<12
}

// major and minor take a device number of stat(2) apart.
func major(dev uint64) uint64 { return dev>>8&0xfff | dev>>32&^0xfff }
func minor(dev uint64) uint64 { return dev&0xff | dev>>12&^0xff }

func lastPart(path string) string {
	at := strings.LastIndexByte(path, '/')
	switch {
	case at < 0:
		return "/"
	case at == len(path)-1:
		return path
	}
	return path[at+1:]
}

func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
