package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An alert as Falco sends it, with 20 output_fields. NNNNNNNNNN is replaced by the alert's number, PPPPPP and HH by
// its pod and its node.
const template = `{"hostname":"node-HH","output":"09:47:21.123456789: Notice A shell was spawned in a container with an attached terminal (evt_type=execve user=root user_uid=0 user_loginuid=-1 process=bash proc_exepath=/usr/bin/bash parent=containerd-shim command=bash terminal=34816 container_id=3ad7b26ded6d container_name=web NNNNNNNNNN)","output_fields":{"container.id":"3ad7b26ded6d","container.image.repository":"docker.io/library/nginx","container.image.tag":"1.27","container.name":"web","evt.arg.flags":"EXE_WRITABLE|EXE_LOWER_LAYER","evt.time":1787132841123456789,"evt.type":"execve","fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-PPPPPP","n":"NNNNNNNNNN","proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id; uname -a\"","proc.exepath":"/usr/bin/bash","proc.name":"bash","proc.pname":"containerd-shim","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"PRIORITY","rule":"Terminal shell in container","source":"syscall","tags":["T1059","container","maturity_stable","mitre_execution","shell"],"time":"2026-08-17T09:47:21.123456789Z"}`

// priorityOf makes one alert in a thousand critical, which is what a Slack channel may be asked to take.
func priorityOf(n int64) string {
	if n%1000 == 0 {
		return "Critical"
	}
	return "Notice"
}

// body makes a request body of count alerts, the first of them number n.
func body(n int64, count, podsInUse int) []byte {
	var b bytes.Buffer
	for i := range int64(count) {
		r := strings.NewReplacer(
			"NNNNNNNNNN", fmt.Sprintf("%010d", n+i),
			"PPPPPP", fmt.Sprintf("%06d", (n+i)%int64(podsInUse)),
			"HH", fmt.Sprintf("%02d", (n+i)%8),
			"PRIORITY", priorityOf(n+i))
		_, _ = r.WriteString(&b, template)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// load is what to send.
type load struct {
	addr        string
	connections int
	perPost     int
	pods        int
	rate        float64 // alerts/s over all connections; 0 is as fast as answered
	limit       int64   // alerts in all; 0 is no limit
	length      time.Duration
}

// outcome is what came of it.
type outcome struct {
	accepted  int64
	elapsed   time.Duration
	latencies []time.Duration // from the moment a request was due to its answer
}

func (o outcome) perSecond() float64 { return float64(o.accepted) / o.elapsed.Seconds() }

func (o *outcome) percentile(p float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	slices.Sort(o.latencies)
	return o.latencies[min(int(p*float64(len(o.latencies))), len(o.latencies)-1)]
}

// send makes load. Each connection writes a request, waits for the whole answer, and goes on; with a rate, requests
// are due at fixed times and a late one does not push the others back.
func (l load) send(ctx context.Context) (outcome, error) {
	var (
		next     atomic.Int64
		accepted atomic.Int64
		mu       sync.Mutex
		all      []time.Duration
		failed   error
		wg       sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if l.pods == 0 {
		l.pods = 60
	}
	// One alert in a thousand is critical, which is what a Slack channel may be asked to take.
	prepared := [2][]byte{body(1, l.perPost, l.pods), body(0, l.perPost, l.pods)}
	begin := time.Now()
	for c := range l.connections {
		wg.Go(func() {
			own, err := l.connection(ctx, c, begin, prepared, &next, &accepted)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			if err != nil && failed == nil && ctx.Err() == nil {
				failed = err
				cancel()
			}
		})
	}
	wg.Wait()
	return outcome{accepted: accepted.Load(), elapsed: time.Since(begin), latencies: all}, failed
}

func (l load) connection(ctx context.Context, c int, begin time.Time, prepared [2][]byte, next, accepted *atomic.Int64) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	var requests [2][]byte
	var at [2][]place
	for i, text := range prepared {
		head := "POST / HTTP/1.1\r\nHost: " + l.addr + "\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n"
		requests[i] = append([]byte(head), text...)
		at[i] = places(requests[i])
	}
	reader := bufio.NewReaderSize(conn, 4096)
	var latencies []time.Duration
	interval := time.Duration(0)
	due := begin
	if l.rate > 0 {
		interval = time.Duration(float64(time.Second) * float64(l.connections*l.perPost) / l.rate)
		due = begin.Add(time.Duration(rand.Float64() * float64(interval)))
	}
	_ = c
	for ctx.Err() == nil {
		if l.rate > 0 {
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
			}
		} else {
			due = time.Now()
		}
		if time.Since(begin) >= l.length && l.length > 0 {
			return latencies, nil
		}
		n := next.Add(int64(l.perPost)) - int64(l.perPost)
		if l.limit > 0 && n >= l.limit {
			return latencies, nil
		}
		kind := 0
		if n%1000 == 0 {
			kind = 1
		}
		number(requests[kind], at[kind], n, l.pods)
		if _, err := conn.Write(requests[kind]); err != nil {
			return latencies, err
		}
		status, err := answer(reader)
		if err != nil {
			return latencies, err
		}
		if status != 200 {
			return latencies, fmt.Errorf("answered %d", status)
		}
		accepted.Add(int64(l.perPost))
		latencies = append(latencies, time.Since(due))
		due = due.Add(interval)
	}
	return latencies, nil
}

// place is where the numbers of one alert stand in a request.
type place struct{ numbers, pods, hosts []int }

// places finds them by the numbers that body put there.
func places(request []byte) []place {
	var all []place
	for start := 0; ; {
		end := bytes.IndexByte(request[start:], '\n')
		if end < 0 {
			return all
		}
		line := request[start : start+end]
		if bytes.HasPrefix(line, []byte(`{"hostname"`)) {
			var p place
			find := func(before string, into *[]int) {
				for at := 0; ; {
					i := bytes.Index(line[at:], []byte(before))
					if i < 0 {
						return
					}
					at += i + len(before)
					*into = append(*into, start+at)
				}
			}
			find(`container_name=web `, &p.numbers)
			find(`"n":"`, &p.numbers)
			find(`"k8s.pod.name":"web-`, &p.pods)
			find(`"hostname":"node-`, &p.hosts)
			all = append(all, p)
		}
		start += end + 1
	}
}

// number writes the numbers of the alerts from n on into request.
func number(request []byte, at []place, n int64, podsInUse int) {
	for i, p := range at {
		value := n + int64(i)
		for _, pos := range p.numbers {
			digits(request[pos:pos+10], value)
		}
		for _, pos := range p.pods {
			digits(request[pos:pos+6], value%int64(podsInUse))
		}
		for _, pos := range p.hosts {
			digits(request[pos:pos+2], value%8)
		}
	}
}

func digits(dst []byte, value int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + value%10)
		value /= 10
	}
}

// answer reads one answer and returns its status.
func answer(r *bufio.Reader) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("no HTTP answer: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, fmt.Errorf("no HTTP answer: %q", line)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return status, err
}
