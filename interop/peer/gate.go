package main

import (
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"sync"
)

// gate is a listener that can be taken down with all its connections, as a restarted server would, and put up again
// on the port it had.
type gate struct {
	server *rpc.Server
	// addr is what to listen on; after the first up it holds the port that was given.
	addr string

	mu       sync.Mutex
	listener net.Listener // nil while down
	conns    map[net.Conn]struct{}
}

func newGate(server *rpc.Server, addr string) *gate {
	return &gate{server: server, addr: addr, conns: map[net.Conn]struct{}{}}
}

// up starts listening; it does nothing when the gate is up already.
func (g *gate) up() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", g.addr)
	if err != nil {
		return err
	}
	g.addr = listener.Addr().String()
	g.listener = listener
	go g.accept(listener)
	return nil
}

// down closes the listener and every connection; it does nothing when the gate is down already.
func (g *gate) down() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return
	}
	g.listener.Close()
	g.listener = nil
	for conn := range g.conns {
		conn.Close()
	}
}

func (g *gate) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if !g.keep(listener, conn) {
			conn.Close()
			return
		}
		go func() {
			g.server.ServeCodec(jsonrpc.NewServerCodec(conn))
			g.mu.Lock()
			defer g.mu.Unlock()
			delete(g.conns, conn)
		}()
	}
}

// keep remembers an accepted connection, unless the listener it came from was taken down in the meantime.
func (g *gate) keep(listener net.Listener, conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != listener {
		return false
	}
	g.conns[conn] = struct{}{}
	return true
}
