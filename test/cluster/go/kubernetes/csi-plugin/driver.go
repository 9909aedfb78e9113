package main

import (
	"context"
	"strconv"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// defaultCapacity is what a volume gets whose request names no size.
const defaultCapacity = 1 << 30

// Driver answers CSI's Identity and Controller services from an Array. There is no Node service: nothing mounts here.
type Driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	name   string
	array  *Array
	faults *Faults
}

func (d *Driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: d.name, VendorVersion: "1"}, nil
}

func (d *Driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	service := &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE}
	capability := &csi.PluginCapability{Type: &csi.PluginCapability_Service_{Service: service}}
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{capability}}, nil
}

func (d *Driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}, nil
}

func (d *Driver) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	} {
		rpc := &csi.ControllerServiceCapability_RPC{Type: kind}
		response.Capabilities = append(response.Capabilities,
			&csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{Rpc: rpc}})
	}
	return response, nil
}

func (d *Driver) CreateVolume(ctx context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if request.GetName() == "" || len(request.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "a volume needs a name and capabilities")
	}
	capacity := request.GetCapacityRange().GetRequiredBytes()
	if capacity == 0 {
		capacity = defaultCapacity
	}
	source := request.GetVolumeContentSource()
	if err := d.faults.Check(ctx, source.GetSnapshot().GetSnapshotId()); err != nil {
		return nil, err
	}
	volume, err := d.array.CreateVolume(request.GetName(), capacity,
		source.GetSnapshot().GetSnapshotId(), source.GetVolume().GetVolumeId())
	if err != nil {
		return nil, err
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: volume.ID, CapacityBytes: volume.CapacityBytes, ContentSource: source,
	}}, nil
}

func (d *Driver) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "no volume id")
	}
	return &csi.DeleteVolumeResponse{}, d.array.DeleteVolume(request.GetVolumeId())
}

func (d *Driver) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if request.GetName() == "" || request.GetSourceVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "a snapshot needs a name and a volume")
	}
	snapshot, err := d.array.CreateSnapshot(request.GetName(), request.GetSourceVolumeId())
	if err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: onTheWire(snapshot)}, nil
}

func (d *Driver) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if request.GetSnapshotId() == "" {
		return nil, status.Error(codes.InvalidArgument, "no snapshot id")
	}
	return &csi.DeleteSnapshotResponse{}, d.array.DeleteSnapshot(request.GetSnapshotId())
}

// ListSnapshots pages by position: the token is the number of snapshots already given.
func (d *Driver) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	found := d.array.Snapshots(request.GetSnapshotId(), request.GetSourceVolumeId())
	start := 0
	if token := request.GetStartingToken(); token != "" {
		given, err := strconv.Atoi(token)
		if err != nil || given < 0 || given > len(found) {
			return nil, status.Errorf(codes.Aborted, "starting token %q is not one of ours", token)
		}
		start = given
	}
	end := len(found)
	if limit := int(request.GetMaxEntries()); limit > 0 && start+limit < end {
		end = start + limit
	}
	response := &csi.ListSnapshotsResponse{}
	for _, snapshot := range found[start:end] {
		response.Entries = append(response.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: onTheWire(snapshot)})
	}
	if end < len(found) {
		response.NextToken = strconv.Itoa(end)
	}
	return response, nil
}

func onTheWire(snapshot Snapshot) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId: snapshot.ID, SourceVolumeId: snapshot.SourceVolume, SizeBytes: snapshot.SizeBytes,
		CreationTime: timestamppb.New(snapshot.Created), ReadyToUse: snapshot.Ready,
	}
}
