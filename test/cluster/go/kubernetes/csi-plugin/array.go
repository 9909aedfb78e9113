package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Volume is one volume on the array. Source is the snapshot or volume it was made from, if any.
type Volume struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	CapacityBytes int64     `json:"capacityBytes"`
	Source        string    `json:"source,omitempty"`
	Created       time.Time `json:"created"`
}

// Snapshot is one snapshot on the array. It outlives its volume, as on most arrays that copy on write.
type Snapshot struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	SourceVolume string    `json:"sourceVolume"`
	SizeBytes    int64     `json:"sizeBytes"`
	Created      time.Time `json:"created"`
	Ready        bool      `json:"ready"`
}

// Operation is something that the array did, or refused to do.
type Operation struct {
	At        time.Time `json:"at"`
	Operation string    `json:"operation"`
	ID        string    `json:"id,omitempty"`
	Name      string    `json:"name,omitempty"`
	Volume    string    `json:"volume,omitempty"`
	Source    string    `json:"source,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// State is everything the array knows: what is kept in its file and shown over HTTP.
type State struct {
	Driver    string      `json:"driver"`
	Limit     int         `json:"limit"`
	Volumes   []Volume    `json:"volumes"`
	Snapshots []Snapshot  `json:"snapshots"`
	Refused   int         `json:"refused"`
	Refusals  []Operation `json:"refusals"`
	Log       []Operation `json:"log"`
}

// Array is a storage array without the storage: it keeps the books that a real one would refuse by.
type Array struct {
	mutex sync.Mutex
	file  string
	state State
}

// OpenArray takes up the state an earlier process left in file; where there is none, the array starts empty.
func OpenArray(file, driver string, limit int) (*Array, error) {
	array := &Array{file: file, state: State{
		Driver: driver, Limit: limit,
		Volumes: []Volume{}, Snapshots: []Snapshot{}, Refusals: []Operation{}, Log: []Operation{},
	}}
	kept, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return array, array.save()
	}
	if err != nil {
		return nil, err
	}
	return array, json.Unmarshal(kept, &array.state)
}

// JSON is the state as of now.
func (a *Array) JSON() ([]byte, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return json.MarshalIndent(a.state, "", "  ")
}

// SetLimit changes how many snapshots a volume may have. Snapshots above a lowered limit stay.
func (a *Array) SetLimit(limit int) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.state.Limit = limit
	return a.save()
}

// CreateVolume makes a volume, or returns the one it made under this name before.
func (a *Array) CreateVolume(name string, capacity int64, fromSnapshot, fromVolume string) (Volume, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	source := fromSnapshot + fromVolume
	if known := find(a.state.Volumes, func(v Volume) bool { return v.Name == name }); known != nil {
		if known.Source != source || known.CapacityBytes < capacity {
			return Volume{}, status.Errorf(codes.AlreadyExists, "volume %q exists with another size or source", name)
		}
		return *known, nil
	}
	if fromSnapshot != "" && a.snapshot(fromSnapshot) == nil {
		return Volume{}, status.Errorf(codes.NotFound, "no snapshot %q to make a volume from", fromSnapshot)
	}
	if fromSnapshot != "" && !a.snapshot(fromSnapshot).Ready {
		return Volume{}, status.Errorf(codes.Unavailable, "snapshot %q is not ready to make a volume from", fromSnapshot)
	}
	if fromVolume != "" && a.volume(fromVolume) == nil {
		return Volume{}, status.Errorf(codes.NotFound, "no volume %q to clone", fromVolume)
	}
	volume := Volume{ID: newID("vol"), Name: name, CapacityBytes: capacity, Source: source, Created: now()}
	a.state.Volumes = append(a.state.Volumes, volume)
	return volume, a.record(Operation{
		Operation: "CreateVolume", ID: volume.ID, Name: name, Volume: volume.ID, Source: source,
	})
}

// DeleteVolume forgets a volume; one that is not there counts as deleted.
func (a *Array) DeleteVolume(id string) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	volume := a.volume(id)
	if volume == nil {
		return nil
	}
	gone := Operation{Operation: "DeleteVolume", ID: id, Name: volume.Name, Volume: id}
	a.state.Volumes = slices.DeleteFunc(a.state.Volumes, func(v Volume) bool { return v.ID == id })
	return a.record(gone)
}

// CreateSnapshot makes a snapshot, or returns the one it made under this name before. At the volume's limit it refuses.
func (a *Array) CreateSnapshot(name, volumeID string) (Snapshot, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if known := find(a.state.Snapshots, func(s Snapshot) bool { return s.Name == name }); known != nil {
		if known.SourceVolume != volumeID {
			return Snapshot{}, status.Errorf(codes.AlreadyExists, "snapshot %q is of volume %s", name, known.SourceVolume)
		}
		return *known, nil
	}
	volume := a.volume(volumeID)
	if volume == nil {
		return Snapshot{}, status.Errorf(codes.NotFound, "no volume %q", volumeID)
	}
	if held := len(a.matching("", volumeID)); held >= a.state.Limit {
		reason := fmt.Sprintf("volume %s has %d snapshots and the array allows %d", volumeID, held, a.state.Limit)
		if err := a.refuse(name, volumeID, reason); err != nil {
			return Snapshot{}, err
		}
		return Snapshot{}, status.Error(codes.ResourceExhausted, reason)
	}
	snapshot := Snapshot{
		ID: newID("snap"), Name: name, SourceVolume: volumeID, SizeBytes: volume.CapacityBytes, Created: now(), Ready: true,
	}
	a.state.Snapshots = append(a.state.Snapshots, snapshot)
	return snapshot, a.record(Operation{Operation: "CreateSnapshot", ID: snapshot.ID, Name: name, Volume: volumeID})
}

// DeleteSnapshot forgets a snapshot; one that is not there counts as deleted.
func (a *Array) DeleteSnapshot(id string) error { return a.removeSnapshot("DeleteSnapshot", id) }

// LoseSnapshot forgets a snapshot that nobody asked it to delete.
func (a *Array) LoseSnapshot(id string) error { return a.removeSnapshot("LoseSnapshot", id) }

// SetReady says whether volumes can be made from a snapshot.
func (a *Array) SetReady(id string, isReady bool) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	snapshot := a.snapshot(id)
	if snapshot == nil {
		return fmt.Errorf("no snapshot %q", id)
	}
	snapshot.Ready = isReady
	return a.save()
}

func (a *Array) removeSnapshot(operation, id string) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	snapshot := a.snapshot(id)
	if snapshot == nil {
		return nil
	}
	gone := Operation{Operation: operation, ID: id, Name: snapshot.Name, Volume: snapshot.SourceVolume}
	a.state.Snapshots = slices.DeleteFunc(a.state.Snapshots, func(s Snapshot) bool { return s.ID == id })
	return a.record(gone)
}

// Snapshots are those with this id and of this volume, in order of creation; an empty string stands for any.
func (a *Array) Snapshots(id, volumeID string) []Snapshot {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.matching(id, volumeID)
}

func (a *Array) matching(id, volumeID string) []Snapshot {
	found := []Snapshot{}
	for _, snapshot := range a.state.Snapshots {
		if (id == "" || snapshot.ID == id) && (volumeID == "" || snapshot.SourceVolume == volumeID) {
			found = append(found, snapshot)
		}
	}
	return found
}

func (a *Array) volume(id string) *Volume {
	return find(a.state.Volumes, func(v Volume) bool { return v.ID == id })
}

func (a *Array) snapshot(id string) *Snapshot {
	return find(a.state.Snapshots, func(s Snapshot) bool { return s.ID == id })
}

func (a *Array) refuse(name, volumeID, reason string) error {
	a.state.Refused++
	refusal := Operation{At: now(), Operation: "CreateSnapshot", Name: name, Volume: volumeID, Reason: reason}
	a.state.Refusals = append(a.state.Refusals, refusal)
	slog.Warn("refused", "operation", refusal)
	return a.save()
}

func (a *Array) record(done Operation) error {
	done.At = now()
	a.state.Log = append(a.state.Log, done)
	slog.Info("done", "operation", done)
	return a.save()
}

// save replaces the file in one step, so that a killed plugin leaves the old state or the new one, never half of it.
func (a *Array) save() error {
	content, err := json.Marshal(a.state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.file+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(a.file+".new", a.file)
}

func now() time.Time { return time.Now().UTC() }

func newID(prefix string) string {
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	return prefix + "-" + hex.EncodeToString(random)
}

func find[T any](all []T, matches func(T) bool) *T {
	if i := slices.IndexFunc(all, matches); i >= 0 {
		return &all[i]
	}
	return nil
}
