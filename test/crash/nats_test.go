package crash

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// node is a NATS server in a process of its own: this test's binary, started again.
type node struct {
	url string
	cmd *exec.Cmd
}

func (n *node) kill() {
	if n.cmd.ProcessState == nil {
		_ = n.cmd.Process.Signal(syscall.SIGKILL)
		_ = n.cmd.Wait()
	}
}

// natsNode is what such a process does: TIERCEL_TEST_NATS holds name, folder, client port, cluster port, routes.
func natsNode() int {
	args := strings.Split(os.Getenv("TIERCEL_TEST_NATS"), "|")
	var client, cluster int
	if _, err := fmt.Sscan(args[2]+" "+args[3], &client, &cluster); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: args[0], Host: "127.0.0.1", Port: client, JetStream: true, StoreDir: args[1], NoSigs: true, SyncAlways: true, SyncInterval: time.Minute,
		LogFile: os.Getenv("TIERCEL_TEST_NATS_LOG"), Debug: true, Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: cluster}, Routes: server.RoutesFromStr(args[4]), MaxPayload: 8 << 20,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv("TIERCEL_TEST_NATS_LOG") != "" {
		srv.ConfigureLogger()
	}
	srv.Start()
	srv.WaitForShutdown()
	return 0
}

func startCluster(t *testing.T, size int) []*node {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ports := make([]int, 2*size)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	var routes, urls []string
	for i := range size {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[size+i]))
	}
	nodes := make([]*node, size)
	for i := range size {
		nodes[i] = &node{url: fmt.Sprintf("nats://127.0.0.1:%d", ports[i]), cmd: exec.Command(self)}
		urls = append(urls, nodes[i].url)
		nodes[i].cmd.Env = append(os.Environ(), fmt.Sprintf("TIERCEL_TEST_NATS=n%d|%s|%d|%d|%s", i, t.TempDir(), ports[i], ports[size+i], strings.Join(routes, ",")))
		nodes[i].cmd.Stderr = os.Stderr
	}
	t.Cleanup(func() {
		for _, n := range nodes {
			if n.cmd.Process != nil {
				n.kill()
			}
		}
	})
	for _, n := range nodes {
		if err := n.cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	waitForLeader(t, strings.Join(urls, ","), size)
	return nodes
}

// waitForLeader waits until the cluster can make a stream with a copy on each node.
func waitForLeader(t *testing.T, urls string, size int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := probeCluster(t.Context(), urls, size)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cluster does not work after a minute: %v", err)
		}
	}
}

func probeCluster(ctx context.Context, urls string, size int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	nc, err := nats.Connect(urls)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "probe", Subjects: []string{"probe"}, Replicas: size}); err != nil {
		return err
	}
	return js.DeleteStream(ctx, "probe")
}
