package falcoevent

import (
	"math"
	"net/netip"

	"github.com/tiercel/tiercel/pkg/accounts"
	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/proctree"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/probe"
)

// Node is the machine that the events come from.
type Node struct {
	// Hostname is what alerts and evt.hostname call it.
	Hostname string
	// Started is when the probe was started, in nanoseconds since 1970.
	Started int64
	// Tree knows the processes. It may be nil.
	Tree Tree
	// Containers knows what runtimes say of containers. It may be nil.
	Containers Containers
	// HostName gives the name in some rule that stands for an address, "" for none. It may be nil.
	HostName func(netip.Addr) string
	// Users names users and groups. It may be nil: then nobody has a name but root.
	Users Names
}

// Tree finds processes; each gives nil for one that is not known.
type Tree interface {
	FindPID(pid int32) *proctree.Process
	SessionLeader(p *proctree.Process) *proctree.Process
	GroupLeader(p *proctree.Process) *proctree.Process
	Init(p *proctree.Process) *proctree.Process
}

// Names knows the names of users and groups, of the machine and of each container. It never waits: what is not known
// yet has no name.
type Names interface {
	User(in container.Ref, uid uint32) (User, bool)
	Group(in container.Ref, gid uint32) (string, bool)
}

// User is what a password file says about somebody.
type User = accounts.User

// nobody is what Falco shows for an id without a name.
const nobody = "<NA>"

func (n *Node) byPID(pid int64) *proctree.Process {
	if n.Tree == nil || pid <= 0 || pid > math.MaxInt32 {
		return nil
	}
	return n.Tree.FindPID(int32(pid))
}

func (n *Node) user(in container.Ref, uid uint32) User {
	if n.Users != nil {
		if u, ok := n.Users.User(in, uid); ok {
			return u
		}
	}
	if uid == 0 {
		return User{Name: "root", Home: "/root"}
	}
	return User{Name: nobody, Home: nobody, Shell: nobody}
}

func (n *Node) group(in container.Ref, gid uint32) string {
	if n.Users != nil {
		if name, ok := n.Users.Group(in, gid); ok {
			return name
		}
	}
	if gid == 0 {
		return "root"
	}
	return nobody
}

// ids are who does it, now.
func (e *Event) ids() (uid, gid, login uint32, ok bool) {
	login = probe.NoID
	if e.proc != nil {
		uid, gid, login, ok = e.proc.EUID, e.proc.EGID, e.proc.LoginUID, true
	}
	if e.probe != nil {
		uid, gid, ok = e.probe.Task.EUID, e.probe.Task.EGID, true
	}
	if e.exec != nil {
		login = e.exec.LoginUID
	}
	return uid, gid, login, ok
}

func (e *Event) userField(id field.ID) field.Value {
	uid, gid, login, ok := e.ids()
	if !ok {
		return field.Value{}
	}
	switch id {
	case field.UserUID:
		return field.Uint(uint64(uid))
	case field.UserName:
		return field.Text(e.node.user(e.users(), uid).Name)
	case field.UserHomedir:
		return field.Text(e.node.user(e.users(), uid).Home)
	case field.UserShell:
		return field.Text(e.node.user(e.users(), uid).Shell)
	case field.UserLoginuid:
		return field.Int(int64(int32(login))) //nolint:gosec // the id that stands for none is -1
	case field.UserLoginname:
		if login == probe.NoID {
			return field.Text(nobody)
		}
		return field.Text(e.node.user(container.Ref{}, login).Name)
	case field.GroupGID:
		return field.Uint(uint64(gid))
	case field.GroupName:
		return field.Text(e.node.group(e.users(), gid))
	}
	return field.Value{}
}
