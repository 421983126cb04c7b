package main

import (
	"strconv"
	"time"
)

// MetricValue is falcon-plus common/model.MetricValue. Value keeps the JSON type it came with.
type MetricValue struct {
	Endpoint  string      `json:"endpoint"`
	Metric    string      `json:"metric"`
	Value     interface{} `json:"value"`
	Step      int64       `json:"step"`
	Type      string      `json:"counterType"`
	Tags      string      `json:"tags"`
	Timestamp int64       `json:"timestamp"`
}

// TransferResponse is falcon-plus common/model.TransferResponse: no JSON tags, so the Go names are on the wire.
type TransferResponse struct {
	Message string
	Total   int
	Invalid int
	Latency int64
}

// SimpleRpcResponse is falcon-plus common/model.SimpleRpcResponse.
type SimpleRpcResponse struct {
	Code int `json:"code"`
}

// NullRpcRequest is falcon-plus common/model.NullRpcRequest.
type NullRpcRequest struct{}

// Transfer answers the methods of the transfer's RPC port.
type Transfer struct {
	out *printer
}

// Ping answers code 0.
func (t *Transfer) Ping(_ NullRpcRequest, reply *SimpleRpcResponse) error {
	t.out.print(struct {
		Call string `json:"call"`
	}{"Transfer.Ping"})
	reply.Code = 0
	return nil
}

// Update counts invalid items as the transfer does, prints the call and answers it.
func (t *Transfer) Update(items []*MetricValue, reply *TransferResponse) error {
	start := time.Now()
	for _, item := range items {
		if !valid(item) {
			reply.Invalid++
		}
	}
	reply.Message = "ok"
	reply.Total = len(items)
	reply.Latency = time.Since(start).Milliseconds()
	if items == nil {
		items = []*MetricValue{}
	}
	t.out.print(struct {
		Call    string         `json:"call"`
		Items   []*MetricValue `json:"items"`
		Invalid int            `json:"invalid"`
	}{"Transfer.Update", items, reply.Invalid})
	return nil
}

// The transfer refuses an item whose metric and tags are longer than this together, in bytes.
const maxNameBytes = 510

// valid tells whether the transfer would keep the item (RecvMetricValues in modules/transfer/receiver/rpc).
func valid(item *MetricValue) bool {
	if item == nil {
		return false
	}
	if item.Metric == "kernel.hostname" || item.Metric == "" || item.Endpoint == "" {
		return false
	}
	if item.Type != "GAUGE" && item.Type != "COUNTER" && item.Type != "DERIVE" {
		return false
	}
	if item.Step <= 0 || len(item.Metric)+len(item.Tags) > maxNameBytes {
		return false
	}
	switch value := item.Value.(type) {
	case float64:
		return true
	case string:
		_, err := strconv.ParseFloat(value, 64)
		return err == nil
	default:
		return false
	}
}
