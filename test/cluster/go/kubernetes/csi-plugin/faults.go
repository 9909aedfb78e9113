package main

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Fault is what goes wrong when a volume is made from a snapshot: it fails with a code, or it is held: it neither ends nor
// fails until the fault is gone or the caller's patience is.
type Fault struct {
	Code    codes.Code `json:"code"`
	Message string     `json:"message"`
	Hold    bool       `json:"hold"`
	// Times is how often it fails; 0 stands for always.
	Times int `json:"times"`
}

// Faults are those of an array, by snapshot. They go with the process: what was to go wrong is no state of the array.
type Faults struct {
	mutex sync.Mutex
	of    map[string]Fault
	// changed is closed, and replaced, whenever a fault was set or removed.
	changed chan struct{}
}

// NewFaults are none.
func NewFaults() *Faults {
	return &Faults{of: map[string]Fault{}, changed: make(chan struct{})}
}

// Set makes a fault the snapshot's only one; nil removes what there is.
func (f *Faults) Set(snapshot string, fault *Fault) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.of, snapshot)
	if fault != nil {
		f.of[snapshot] = *fault
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// Check waits while the snapshot's fault holds, and returns the error that it fails with, if any.
func (f *Faults) Check(ctx context.Context, snapshot string) error {
	for {
		fault, changed := f.next(snapshot)
		if fault == nil {
			return nil
		}
		if !fault.Hold {
			return status.Error(fault.Code, fault.Message)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

func (f *Faults) next(snapshot string) (*Fault, <-chan struct{}) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	fault, isFaulty := f.of[snapshot]
	if !isFaulty {
		return nil, f.changed
	}
	if fault.Times == 1 {
		delete(f.of, snapshot)
	} else if fault.Times > 1 {
		fault.Times--
		f.of[snapshot] = fault
	}
	return &fault, f.changed
}
