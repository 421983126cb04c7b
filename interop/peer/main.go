// Command peer is a transfer and an hbs in one process, for tests that drive the agent against Go's own net/rpc.
//
// It speaks through net/rpc/jsonrpc with the argument types of falcon-plus common/model, so that what the agent sends
// is decoded by the very code that decodes it in a real installation. Method semantics follow
// modules/transfer/receiver/rpc and modules/hbs/rpc of falcon-plus, without storage behind them.
//
//	peer -transfer 127.0.0.1:0 -hbs 127.0.0.1:0
//
// Standard output is a stream of JSON lines: first the two addresses, then one object per call ("call") and one per
// command carried out ("event"). Standard input takes one command per line: down, up, exit, and hbs with the JSON of what
// that is to say from then on; its end is an exit.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"strings"
	"sync"
)

// printer writes one JSON object per line; calls of several connections never share a line.
type printer struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newPrinter(w io.Writer) *printer {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &printer{out: enc}
}

func (p *printer) print(v interface{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.out.Encode(v); err != nil {
		// Nobody reads any more: the test that started this process is gone.
		os.Exit(1)
	}
}

type addresses struct {
	Transfer string `json:"transfer"`
	Hbs      string `json:"hbs"`
}

type event struct {
	Event   string `json:"event"`
	Message string `json:"message,omitempty"`
}

func serve(name string, receiver interface{}, addr string) (*gate, error) {
	server := rpc.NewServer()
	if err := server.RegisterName(name, receiver); err != nil {
		return nil, err
	}
	g := newGate(server, addr)
	return g, g.up()
}

func run(transferAddr, hbsAddr string, commands io.Reader, out *printer) error {
	transfer, err := serve("Transfer", &Transfer{out: out}, transferAddr)
	if err != nil {
		return err
	}
	defer transfer.down()
	agent := &Agent{out: out}
	hbs, err := serve("Agent", agent, hbsAddr)
	if err != nil {
		return err
	}
	defer hbs.down()
	out.print(addresses{Transfer: transfer.addr, Hbs: hbs.addr})

	lines := bufio.NewScanner(commands)
	for lines.Scan() {
		command, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		var err error
		switch command {
		case "":
			continue
		case "down":
			transfer.down()
			hbs.down()
		case "up":
			if err = transfer.up(); err == nil {
				err = hbs.up()
			}
		case "hbs":
			err = agent.follow(rest)
		case "exit":
			return nil
		default:
			err = fmt.Errorf("unknown command %q", command)
		}
		if err != nil {
			out.print(event{Event: "error", Message: err.Error()})
			continue
		}
		out.print(event{Event: command})
	}
	return lines.Err()
}

func main() {
	transferAddr := flag.String("transfer", "127.0.0.1:0", "address the transfer listens on")
	hbsAddr := flag.String("hbs", "127.0.0.1:0", "address the hbs listens on")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "peer: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(*transferAddr, *hbsAddr, os.Stdin, newPrinter(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}
