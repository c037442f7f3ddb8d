from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Address(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class StoredReplica(_message.Message):
    __slots__ = ("version", "size", "digest", "path")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    version: str
    size: int
    digest: int
    path: str
    def __init__(self, version: _Optional[str] = ..., size: _Optional[int] = ..., digest: _Optional[int] = ..., path: _Optional[str] = ...) -> None: ...

class RegisterRequest(_message.Message):
    __slots__ = ("keeper", "boot", "address", "data_address", "directory", "free_bytes", "report", "sequence", "cluster", "incarnation")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DATA_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    boot: str
    address: Address
    data_address: Address
    directory: str
    free_bytes: int
    report: _containers.RepeatedCompositeFieldContainer[StoredReplica]
    sequence: int
    cluster: str
    incarnation: int
    def __init__(self, keeper: _Optional[str] = ..., boot: _Optional[str] = ..., address: _Optional[_Union[Address, _Mapping]] = ..., data_address: _Optional[_Union[Address, _Mapping]] = ..., directory: _Optional[str] = ..., free_bytes: _Optional[int] = ..., report: _Optional[_Iterable[_Union[StoredReplica, _Mapping]]] = ..., sequence: _Optional[int] = ..., cluster: _Optional[str] = ..., incarnation: _Optional[int] = ...) -> None: ...

class RegisterReply(_message.Message):
    __slots__ = ("incarnation", "heartbeat_interval_s", "heartbeat_timeout_s", "cluster", "master_time_s", "scrub_interval_s", "scrub_rate_mb_s", "master_boot")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    MASTER_TIME_S_FIELD_NUMBER: _ClassVar[int]
    SCRUB_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    SCRUB_RATE_MB_S_FIELD_NUMBER: _ClassVar[int]
    MASTER_BOOT_FIELD_NUMBER: _ClassVar[int]
    incarnation: int
    heartbeat_interval_s: float
    heartbeat_timeout_s: float
    cluster: str
    master_time_s: float
    scrub_interval_s: float
    scrub_rate_mb_s: float
    master_boot: str
    def __init__(self, incarnation: _Optional[int] = ..., heartbeat_interval_s: _Optional[float] = ..., heartbeat_timeout_s: _Optional[float] = ..., cluster: _Optional[str] = ..., master_time_s: _Optional[float] = ..., scrub_interval_s: _Optional[float] = ..., scrub_rate_mb_s: _Optional[float] = ..., master_boot: _Optional[str] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("keeper", "incarnation", "free_bytes")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    incarnation: int
    free_bytes: int
    def __init__(self, keeper: _Optional[str] = ..., incarnation: _Optional[int] = ..., free_bytes: _Optional[int] = ...) -> None: ...

class HeartbeatReply(_message.Message):
    __slots__ = ("master_time_s", "master_boot")
    MASTER_TIME_S_FIELD_NUMBER: _ClassVar[int]
    MASTER_BOOT_FIELD_NUMBER: _ClassVar[int]
    master_time_s: float
    master_boot: str
    def __init__(self, master_time_s: _Optional[float] = ..., master_boot: _Optional[str] = ...) -> None: ...

class ReplicaStoredRequest(_message.Message):
    __slots__ = ("keeper", "replicas")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    replicas: _containers.RepeatedCompositeFieldContainer[NewReplica]
    def __init__(self, keeper: _Optional[str] = ..., replicas: _Optional[_Iterable[_Union[NewReplica, _Mapping]]] = ...) -> None: ...

class NewReplica(_message.Message):
    __slots__ = ("incarnation", "version", "size", "block_size", "checksums", "path", "copy_id", "cause")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKSUMS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    COPY_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    incarnation: int
    version: str
    size: int
    block_size: int
    checksums: bytes
    path: str
    copy_id: str
    cause: str
    def __init__(self, incarnation: _Optional[int] = ..., version: _Optional[str] = ..., size: _Optional[int] = ..., block_size: _Optional[int] = ..., checksums: _Optional[bytes] = ..., path: _Optional[str] = ..., copy_id: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class ReplicaStoredReply(_message.Message):
    __slots__ = ("replicas",)
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    replicas: _containers.RepeatedCompositeFieldContainer[Recorded]
    def __init__(self, replicas: _Optional[_Iterable[_Union[Recorded, _Mapping]]] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ("keep", "reason", "error")
    KEEP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    keep: bool
    reason: str
    error: Error
    def __init__(self, keep: bool = ..., reason: _Optional[str] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class CopyFailedRequest(_message.Message):
    __slots__ = ("keeper", "copy_id", "reason", "source_at_fault")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    COPY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_AT_FAULT_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    copy_id: str
    reason: str
    source_at_fault: bool
    def __init__(self, keeper: _Optional[str] = ..., copy_id: _Optional[str] = ..., reason: _Optional[str] = ..., source_at_fault: bool = ...) -> None: ...

class CopyFailedReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplicaDroppedRequest(_message.Message):
    __slots__ = ("keeper", "incarnation", "version")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    incarnation: int
    version: str
    def __init__(self, keeper: _Optional[str] = ..., incarnation: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...

class ReplicaDroppedReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BeginUploadRequest(_message.Message):
    __slots__ = ("upload_id", "name", "size", "ack_replicas", "client", "exclude", "cause")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ACK_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    name: str
    size: int
    ack_replicas: int
    client: str
    exclude: _containers.RepeatedScalarFieldContainer[str]
    cause: str
    def __init__(self, upload_id: _Optional[str] = ..., name: _Optional[str] = ..., size: _Optional[int] = ..., ack_replicas: _Optional[int] = ..., client: _Optional[str] = ..., exclude: _Optional[_Iterable[str]] = ..., cause: _Optional[str] = ...) -> None: ...

class BeginUploadReply(_message.Message):
    __slots__ = ("version", "keeper", "data_address", "committed", "cause", "block_size", "ticket")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    DATA_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    version: str
    keeper: str
    data_address: Address
    committed: FileInfo
    cause: str
    block_size: int
    ticket: bytes
    def __init__(self, version: _Optional[str] = ..., keeper: _Optional[str] = ..., data_address: _Optional[_Union[Address, _Mapping]] = ..., committed: _Optional[_Union[FileInfo, _Mapping]] = ..., cause: _Optional[str] = ..., block_size: _Optional[int] = ..., ticket: _Optional[bytes] = ...) -> None: ...

class AwaitUploadRequest(_message.Message):
    __slots__ = ("upload_id", "hold_s")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    HOLD_S_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    hold_s: float
    def __init__(self, upload_id: _Optional[str] = ..., hold_s: _Optional[float] = ...) -> None: ...

class AwaitUploadReply(_message.Message):
    __slots__ = ("known", "copies", "acknowledged")
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    known: bool
    copies: int
    acknowledged: FileInfo
    def __init__(self, known: bool = ..., copies: _Optional[int] = ..., acknowledged: _Optional[_Union[FileInfo, _Mapping]] = ...) -> None: ...

class FileInfo(_message.Message):
    __slots__ = ("name", "version", "size", "holders", "created_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    size: int
    holders: _containers.RepeatedScalarFieldContainer[str]
    created_at: float
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., size: _Optional[int] = ..., holders: _Optional[_Iterable[str]] = ..., created_at: _Optional[float] = ...) -> None: ...

class LocateRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Holder(_message.Message):
    __slots__ = ("keeper", "data_address", "ticket")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    DATA_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    data_address: Address
    ticket: bytes
    def __init__(self, keeper: _Optional[str] = ..., data_address: _Optional[_Union[Address, _Mapping]] = ..., ticket: _Optional[bytes] = ...) -> None: ...

class LocateReply(_message.Message):
    __slots__ = ("version", "size", "block_size", "checksums", "holders")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKSUMS_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    version: str
    size: int
    block_size: int
    checksums: bytes
    holders: _containers.RepeatedCompositeFieldContainer[Holder]
    def __init__(self, version: _Optional[str] = ..., size: _Optional[int] = ..., block_size: _Optional[int] = ..., checksums: _Optional[bytes] = ..., holders: _Optional[_Iterable[_Union[Holder, _Mapping]]] = ...) -> None: ...

class StatRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class StatReply(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: FileInfo
    def __init__(self, file: _Optional[_Union[FileInfo, _Mapping]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("prefix", "after", "limit")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    after: str
    limit: int
    def __init__(self, prefix: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ("files", "more")
    FILES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[FileInfo]
    more: bool
    def __init__(self, files: _Optional[_Iterable[_Union[FileInfo, _Mapping]]] = ..., more: bool = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RenameRequest(_message.Message):
    __slots__ = ("old_name", "new_name")
    OLD_NAME_FIELD_NUMBER: _ClassVar[int]
    NEW_NAME_FIELD_NUMBER: _ClassVar[int]
    old_name: str
    new_name: str
    def __init__(self, old_name: _Optional[str] = ..., new_name: _Optional[str] = ...) -> None: ...

class RenameReply(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: FileInfo
    def __init__(self, file: _Optional[_Union[FileInfo, _Mapping]] = ...) -> None: ...

class ReportBadReplicaRequest(_message.Message):
    __slots__ = ("keeper", "version", "reason", "reporter", "cause")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REPORTER_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    version: str
    reason: str
    reporter: str
    cause: str
    def __init__(self, keeper: _Optional[str] = ..., version: _Optional[str] = ..., reason: _Optional[str] = ..., reporter: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class ReportBadReplicaReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LookupTableRequest(_message.Message):
    __slots__ = ("after", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class LookupRow(_message.Message):
    __slots__ = ("file_name", "data_node", "file_path", "is_alive", "state", "version", "size")
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_NODE_FIELD_NUMBER: _ClassVar[int]
    FILE_PATH_FIELD_NUMBER: _ClassVar[int]
    IS_ALIVE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    file_name: str
    data_node: str
    file_path: str
    is_alive: bool
    state: str
    version: str
    size: int
    def __init__(self, file_name: _Optional[str] = ..., data_node: _Optional[str] = ..., file_path: _Optional[str] = ..., is_alive: bool = ..., state: _Optional[str] = ..., version: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class LookupTableReply(_message.Message):
    __slots__ = ("rows", "next_after")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[LookupRow]
    next_after: str
    def __init__(self, rows: _Optional[_Iterable[_Union[LookupRow, _Mapping]]] = ..., next_after: _Optional[str] = ...) -> None: ...

class KeepersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeeperInfo(_message.Message):
    __slots__ = ("keeper", "state", "is_alive", "incarnation", "address", "data_address", "directory", "free_bytes", "stored_bytes", "replicas", "silent_s")
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IS_ALIVE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DATA_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    SILENT_S_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    state: str
    is_alive: bool
    incarnation: int
    address: Address
    data_address: Address
    directory: str
    free_bytes: int
    stored_bytes: int
    replicas: int
    silent_s: float
    def __init__(self, keeper: _Optional[str] = ..., state: _Optional[str] = ..., is_alive: bool = ..., incarnation: _Optional[int] = ..., address: _Optional[_Union[Address, _Mapping]] = ..., data_address: _Optional[_Union[Address, _Mapping]] = ..., directory: _Optional[str] = ..., free_bytes: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., replicas: _Optional[int] = ..., silent_s: _Optional[float] = ...) -> None: ...

class KeepersReply(_message.Message):
    __slots__ = ("keepers",)
    KEEPERS_FIELD_NUMBER: _ClassVar[int]
    keepers: _containers.RepeatedCompositeFieldContainer[KeeperInfo]
    def __init__(self, keepers: _Optional[_Iterable[_Union[KeeperInfo, _Mapping]]] = ...) -> None: ...

class ScanRequest(_message.Message):
    __slots__ = ("dry_run",)
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    def __init__(self, dry_run: bool = ...) -> None: ...

class PlannedAction(_message.Message):
    __slots__ = ("action", "file_name", "version", "source", "target", "reason")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    action: str
    file_name: str
    version: str
    source: str
    target: str
    reason: str
    def __init__(self, action: _Optional[str] = ..., file_name: _Optional[str] = ..., version: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ScanReply(_message.Message):
    __slots__ = ("actions",)
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[PlannedAction]
    def __init__(self, actions: _Optional[_Iterable[_Union[PlannedAction, _Mapping]]] = ...) -> None: ...

class DecommissionRequest(_message.Message):
    __slots__ = ("keeper",)
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    keeper: str
    def __init__(self, keeper: _Optional[str] = ...) -> None: ...

class DecommissionReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OrderCopiesRequest(_message.Message):
    __slots__ = ("offers", "fetches")
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    FETCHES_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[OfferReplica]
    fetches: _containers.RepeatedCompositeFieldContainer[FetchReplica]
    def __init__(self, offers: _Optional[_Iterable[_Union[OfferReplica, _Mapping]]] = ..., fetches: _Optional[_Iterable[_Union[FetchReplica, _Mapping]]] = ...) -> None: ...

class OrderCopiesReply(_message.Message):
    __slots__ = ("offers", "fetches")
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    FETCHES_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[OrderOutcome]
    fetches: _containers.RepeatedCompositeFieldContainer[OrderOutcome]
    def __init__(self, offers: _Optional[_Iterable[_Union[OrderOutcome, _Mapping]]] = ..., fetches: _Optional[_Iterable[_Union[OrderOutcome, _Mapping]]] = ...) -> None: ...

class OrderOutcome(_message.Message):
    __slots__ = ("error",)
    ERROR_FIELD_NUMBER: _ClassVar[int]
    error: Error
    def __init__(self, error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class FetchReplica(_message.Message):
    __slots__ = ("copy_id", "version", "file_name", "size", "block_size", "checksums", "source", "source_data_address", "incarnation", "cause", "ticket", "awaited")
    COPY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKSUMS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_DATA_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    copy_id: str
    version: str
    file_name: str
    size: int
    block_size: int
    checksums: bytes
    source: str
    source_data_address: Address
    incarnation: int
    cause: str
    ticket: bytes
    awaited: bool
    def __init__(self, copy_id: _Optional[str] = ..., version: _Optional[str] = ..., file_name: _Optional[str] = ..., size: _Optional[int] = ..., block_size: _Optional[int] = ..., checksums: _Optional[bytes] = ..., source: _Optional[str] = ..., source_data_address: _Optional[_Union[Address, _Mapping]] = ..., incarnation: _Optional[int] = ..., cause: _Optional[str] = ..., ticket: _Optional[bytes] = ..., awaited: bool = ...) -> None: ...

class OfferReplica(_message.Message):
    __slots__ = ("copy_id", "version", "target", "incarnation", "cause")
    COPY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    copy_id: str
    version: str
    target: str
    incarnation: int
    cause: str
    def __init__(self, copy_id: _Optional[str] = ..., version: _Optional[str] = ..., target: _Optional[str] = ..., incarnation: _Optional[int] = ..., cause: _Optional[str] = ...) -> None: ...

class DropReplicaRequest(_message.Message):
    __slots__ = ("version", "incarnation", "cause")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    version: str
    incarnation: int
    cause: str
    def __init__(self, version: _Optional[str] = ..., incarnation: _Optional[int] = ..., cause: _Optional[str] = ...) -> None: ...

class DropReplicaReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DataRequest(_message.Message):
    __slots__ = ("get", "put", "node", "ticket", "proof")
    GET_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    get: Get
    put: Put
    node: str
    ticket: bytes
    proof: bytes
    def __init__(self, get: _Optional[_Union[Get, _Mapping]] = ..., put: _Optional[_Union[Put, _Mapping]] = ..., node: _Optional[str] = ..., ticket: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...

class Get(_message.Message):
    __slots__ = ("version", "offset", "length")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    version: str
    offset: int
    length: int
    def __init__(self, version: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class Put(_message.Message):
    __slots__ = ("version", "size", "block_size", "cause")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    version: str
    size: int
    block_size: int
    cause: str
    def __init__(self, version: _Optional[str] = ..., size: _Optional[int] = ..., block_size: _Optional[int] = ..., cause: _Optional[str] = ...) -> None: ...

class DataReply(_message.Message):
    __slots__ = ("size", "error", "proof")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    size: int
    error: Error
    proof: bytes
    def __init__(self, size: _Optional[int] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., proof: _Optional[bytes] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("name", "fields", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    fields: str
    message: str
    def __init__(self, name: _Optional[str] = ..., fields: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ReplicaChecksums(_message.Message):
    __slots__ = ("version", "size", "block_size", "checksums")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKSUMS_FIELD_NUMBER: _ClassVar[int]
    version: str
    size: int
    block_size: int
    checksums: bytes
    def __init__(self, version: _Optional[str] = ..., size: _Optional[int] = ..., block_size: _Optional[int] = ..., checksums: _Optional[bytes] = ...) -> None: ...
