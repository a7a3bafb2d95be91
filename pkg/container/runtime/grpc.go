package runtime

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tiercel/tiercel/pkg/container"
)

// maxAnswer bounds an answer: that of a container with many mounts and a verbose runtime is some hundred KiB.
const maxAnswer = 8 << 20

// conn is a gRPC connection to a socket, made at the first call.
type conn struct {
	path string

	mu     sync.Mutex
	client *grpc.ClientConn
}

// call makes one call. The error is ErrNotHere when nobody listens or the service is not there, ErrNotFound when the
// service does not know what was asked for.
func (c *conn) call(ctx context.Context, method string, request, answer any) error {
	client, err := c.dial()
	if err != nil {
		return err
	}
	err = client.Invoke(ctx, method, request, answer)
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.NotFound:
		return container.ErrNotFound
	case codes.Unimplemented:
		return container.ErrNotHere
	default:
		return fmt.Errorf("%s: %w", method, err)
	}
}

func (c *conn) dial() (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	client, err := grpc.NewClient("unix://"+c.path,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the socket's permissions are its protection
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
	)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", c.path, err)
	}
	c.client = client
	return client, nil
}

func (c *conn) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return nil
	}
	err := c.client.Close()
	c.client = nil
	return err
}
