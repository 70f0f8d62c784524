// Written by `make web-types` from the OpenAPI document: what /gglib/… expects and returns.

/** A further name of models, or a pattern for names. */
export interface Alias {
  /** In a pattern `*` matches any run of characters. */
  name: string;
  /** In the order of preference: the first that can run serves a request. Empty for the built-in alias, whose model is the one in memory. */
  models: Array<string>;
  /** Those of `models` that are not in the catalogue, and passed over. */
  missing: Array<string>;
  /** `catalogue`: an alias of the model; `config`: the setting `aliases`; or `built-in`. */
  source: string;
  /** Whether the catalogue has the name, which takes precedence. */
  is_ignored: boolean;
}

/** All aliases. */
export interface Aliases {
  /** Those of the models, those of the settings in their order, then the built-in one. */
  aliases: Array<Alias>;
}

/** What serves a model instead of llama.cpp: set on the server's machine only. */
export interface Backend {
  /** `command`: gglib runs it; `url`: it runs elsewhere. */
  kind: string;
  /** Its words; null for callers without admin rights. */
  command: Array<string> | null;
  /** Its base URL; null for callers without admin rights. */
  url: string | null;
  /** Environment variable with its key; null for callers without admin rights. */
  key_env: string | null;
  /** The model's name there; null: its name here. */
  served_name: string | null;
  /** The paths that it serves; empty: those of the model's kind. */
  routes: Array<string>;
  /** How the command runs; null for URLs, and for callers without admin rights. */
  launch: BackendLaunch | null;
}

/** How the command of a model runs. */
export interface BackendLaunch {
  /** Its working directory. */
  directory: string;
  /** Responds with 200 when it is ready. */
  health_path: string;
  /** null: the default of gglib. */
  start_timeout_s: number | null;
  /** `TERM`, `INT`, `QUIT`, `HUP` or `KILL`. */
  stop_signal: string;
  /** By device (`ram`, `gpu0`); empty: measured at its launches. */
  memory_bytes: Record<string, number>;
  /** Requests at a time; null: unknown. */
  slots: number | null;
}

/** The recorded bodies of a request. */
export interface BodyTexts {
  request: string;
  response: string;
  is_request_cut: boolean;
  is_response_cut: boolean;
}

/** A request that was in progress. */
export interface CancelledRequest {
  /** Its id. */
  cancelled: string;
}

/** The results of the checks of ``gglib doctor``. */
export interface Checks {
  checks: Array<MachineCheck>;
}

/** The configuration file of a client, in the home directory of its user. */
export interface ClientFile {
  path: string;
  format: string;
}

/** What stands for the access key in the settings of clients. */
export interface ClientKey {
  name: string;
  variable: string;
  placeholder: string;
}

/** The version of a client that was run with gglib, and the day. */
export interface ClientRun {
  version: string;
  date: string;
}

/** How one client connects. */
export interface ClientSettings {
  name: string;
  title: string;
  kind: "application" | "library" | "program";
  speaks: Array<string>;
  how: string;
  verified: ClientRun | null;
  where: string;
  text: string;
  start: string | null;
  note: string | null;
  file: ClientFile | null;
  launch: string | null;
}

/** The settings of all clients for one model. */
export interface ClientTable {
  model: string;
  context: number;
  url: string;
  key: ClientKey | null;
  clients: Array<ClientSettings>;
}

/** The memory of the RAM or of one GPU, in use by any program or not; None where the system reports nothing. */
export interface DeviceMemory {
  total_bytes: number | null;
  available_bytes: number | null;
}

/** The file system of the home. */
export interface DiskSpace {
  path: string;
  total_bytes: number;
  free_bytes: number;
}

/** A download of this server. */
export interface Download {
  id: string;
  /** The requested target; a URL without its query. */
  target: string;
  state: DownloadState;
  /** Name of the model; null until it is complete. */
  model_name: string | null;
  /** The current file. */
  file: string | null;
  /** `waiting` (another process downloads the same), `downloading`, `verifying` or `adding`; null before the start. */
  phase: string | null;
  /** Of all files together. */
  done_bytes: number;
  /** Of all files together; null if unknown. */
  total_bytes: number | null;
  /** Over the last seconds; null without progress. */
  bytes_per_s: number | null;
  /** Remaining time at this speed, in seconds. */
  left_s: number | null;
  /** Error of a failed download, with the codes of error responses; else null. */
  error: DownloadError | null;
  /** Unix time in seconds. */
  created_at: number;
  /** Unix time in seconds. */
  started_at: number | null;
  /** Unix time in seconds. */
  ended_at: number | null;
}

/** The error of a failed download. */
export interface DownloadError {
  code: string;
  message: string;
}

/** The state of a download: active, paused, or at its end. Only ``done`` cannot be resumed. */
export type DownloadState = "cancelled" | "done" | "failed" | "paused" | "queued" | "running";

/** The downloads of this server. */
export interface Downloads {
  /** Newest last. */
  downloads: Array<Download>;
}

/** The engine in use. */
export interface EngineFacts {
  name: string;
  path: string | null;
  version: string | null;
  devices: Array<string> | null;
}

/** An error response. */
export interface Error {
  error: ErrorDetail;
}

/** OpenAI's error object. */
export interface ErrorDetail {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

/** A model whose last load failed, or whose engine crashed too often. */
export interface FailedModel {
  model_name: string;
  reason: string;
}

/** A file of a repository. */
export interface File {
  name: string;
  size_bytes: number;
  /** SHA-256 of the content, in hexadecimal. */
  sha256: string | null;
}

/** A file that changed at its source. */
export interface FileChange {
  file: string;
  /** SHA-256 of the content, in hexadecimal. */
  old_sha256: string | null;
  /** SHA-256 of the content, in hexadecimal. */
  new_sha256: string | null;
  new_size_bytes: number | null;
}

/** The verification of one file. */
export interface FileCheck {
  path: string;
  verdict: FileVerdict;
  /** SHA-256 of the content, in hexadecimal. */
  expected_sha256: string | null;
  /** SHA-256 of the content, in hexadecimal. */
  found_sha256: string | null;
  /** The error of the system for an unreadable file. */
  reason: string | null;
  /** Whether a file that gglib wrote was modified or replaced. */
  is_replaced: boolean;
}

/** The kind of a file in a repository. */
export type FileKind = "adapter" | "draft" | "imatrix" | "mmproj" | "model" | "other" | "piece" | "shard" | "vocabulary";

/** The result of the comparison. */
export type FileVerdict = "differs" | "gone" | "good" | "unknown" | "unreadable";

/** A known model of the hub. */
export interface FirstModel {
  title: string;
  /** The `target` for `POST /gglib/downloads`. */
  pull: string;
  size_bytes: number;
  licence: string;
  /** Memory of a machine that it is meant for, in GB. */
  machine_gb: number;
  /** Whether it fits this machine now. */
  fit: Fit;
  /** Number of requests that it would serve at a time. */
  slots: number;
  need_bytes: number;
  need: Need;
}

/** Known models for a start. */
export interface FirstModels {
  memory: Memory;
  /** When the list was checked, as `YYYY-MM-DD`. */
  date: string;
  /** `pull` of the recommended one; null: none fits, or the hub is unreachable. */
  recommended: string | null;
  is_hub_reachable: boolean;
  /** Smallest first, without those that the hub has no more. */
  models: Array<FirstModel>;
}

/** Whether a model can run in the free memory. */
export type Fit = "fits" | "tight" | "too large";

/** Whether a model of the catalogue can run in the free memory. */
export type FitVerdict = "fits" | "tight" | "too large" | "unknown";

/** What a hub requires before a user may download the files of a repository. */
export type Gating = "automatic" | "manual" | "open";

/** The memory of a GPU. */
export interface Gpu {
  name: string;
  total_bytes: number;
  free_bytes: number;
  /** Its maker: `NVIDIA`, `AMD`, `Intel`; empty: unknown. */
  vendor: string;
}

/** A file that was not deleted. */
export interface KeptFile {
  path: string;
  reason: string;
}

/** What was saved and restored since the start of this process, and the files that are on the disk now. */
export interface KeptTotals {
  saved: KeptTransfer;
  restored: KeptTransfer;
  files: number;
  files_bytes: number;
  limit_bytes: number;
}

/** Prompts of an engine's slots that were saved to files at its stop, or restored from them at its start. */
export interface KeptTransfer {
  slots: number;
  tokens: number;
  size_bytes: number;
  seconds: number;
}

/** The rights, limits and use of a key. */
export interface Key {
  name: string;
  /** Patterns of the models that it may use. */
  models: Array<string>;
  admin: boolean;
  /** `interactive` or `batch`; null: that of the model. */
  priority: string | null;
  /** Requests per minute; null, here and below: no limit. */
  rpm: number | null;
  /** Tokens per minute. */
  tpm: number | null;
  /** Requests at once. */
  parallel: number | null;
  /** Null without limits. */
  use: KeyUse | null;
}

/** What a key with limits uses now. */
export interface KeyUse {
  /** Admitted in the last 60 seconds; 0 where `rpm` is not set. */
  requests: number;
  /** Of requests that ended in the last 60 seconds; 0 where `tpm` is not set. */
  tokens: number;
  /** Estimated for the requests in progress. */
  reserved_tokens: number;
  /** Requests in progress. */
  running: number;
}

/** All keys. */
export interface Keys {
  /** In the order of the settings, without gglib's own; empty if none is required. */
  keys: Array<Key>;
}

/** Number of finished loads of one model with one outcome, since the start. */
export interface LoadCount {
  model_name: string;
  outcome: string;
  count: number;
  total_s: number;
}

/** Options for loading a model. */
export interface LoadOptions {
  /** Context in tokens, as in a request. Default: as for a request without it. */
  num_ctx?: number | null;
  /** The node, by its name in `GET /gglib/nodes`. Default: the machine of this server, or the only node that has the model. */
  node?: string | null;
}

/** A model that is ready for requests. */
export interface LoadedModel {
  model_id: number;
  model_name: string;
  /** Context of each request, in tokens; null if a node has not reported it yet. */
  effective_ctx: number | null;
  /** The node; null for the machine of this server. */
  node: string | null;
}

/** The log of gglib, or of the engine of a model. */
export interface LogFile {
  name: string;
  kind: "engine" | "gglib";
  model: string | null;
  size_bytes: number;
  modified_at: number;
}

/** One line of a log, as it is shown. */
export interface LogLine {
  text: string;
  time: string | null;
  level: string | null;
  source: string | null;
}

/** The last lines of a log. */
export interface LogTail {
  name: string;
  lines: Array<LogLine>;
  is_cut: boolean;
}

/** All logs. */
export interface Logs {
  /** Those that exist: gglib's, then those of engines, by name. */
  logs: Array<LogFile>;
}

/** The result of one check of ``gglib doctor``. */
export interface MachineCheck {
  name: string;
  verdict: "fail" | "ok" | "warn";
  message: string;
}

/** The memory of this machine. */
export interface Memory {
  total_bytes: number | null;
  available_bytes: number | null;
  gpus: Array<Gpu>;
}

/** A model of the catalogue. */
export interface Model {
  id: number;
  name: string;
  aliases: Array<string>;
  /** Alias lists and patterns of the settings that name it. */
  alias_lists: Array<string>;
  description: string;
  architecture: string | null;
  parameter_count: number | null;
  quantization: string | null;
  size_bytes: number | null;
  /** In tokens. */
  trained_context: number | null;
  /** The model's own setting, in tokens; null: the default applies. */
  context: number | null;
  idle_ttl_s: number | null;
  /** How it is served: `chat`, `embedding` or `rerank`; null: determined from its header. */
  kind: string | null;
  /** Whether it stays in memory once it is loaded. */
  is_pinned: boolean;
  /** Priority of its requests: `interactive` or `batch`; null: the default applies. */
  priority: string | null;
  /** Whether the prompts of its conversations are kept while it is not in memory; null: where that does not slow down swaps. */
  keep_conversations: boolean | null;
  /** Capabilities of the model as it is served. */
  capabilities: Array<string>;
  tags: Array<string>;
  /** On the machine of this server: `loading`, `ready`, `draining` or `stopping`; null if not in memory. */
  state: string | null;
  /** All files, in shard order; null for callers without admin rights. */
  paths: Array<string> | null;
  hashes: Array<string | null>;
  source: Source;
  /** Path of its mmproj; null for callers without admin rights. */
  projector: string | null;
  /** SHA-256 of the content, in hexadecimal. */
  projector_sha256: string | null;
  /** Set on the server's machine only; null for callers without admin rights. */
  engine_args: Array<string> | null;
  /** What serves the model; null: llama.cpp, from its files. */
  backend: Backend | null;
  /** Whether gglib downloaded the files and may delete them. */
  is_downloaded: boolean;
  /** SHA-256 of the content, in hexadecimal. */
  chat_template_sha256: string | null;
  /** Unix time in seconds. */
  added_at: number;
  /** Unix time in seconds; null if unused, and for callers without admin rights. */
  last_used_at: number | null;
  /** The nodes that have it, the machine of this server among them; empty if the server has no other nodes, and for callers without admin rights. */
  nodes: Array<ModelCopy>;
}

/** Changes of a model's names and settings, as a merge patch (RFC 7396): absent fields stay, null resets a field. */
export interface ModelChanges {
  /** The new name; the old one is not kept, unless as an alias. */
  name?: string;
  /** Replaces all further names; null: none. */
  aliases?: Array<string> | null;
  /** Replaces all tags; null: none. */
  tags?: Array<string> | null;
  /** In tokens; null: the default applies. */
  context?: number | null;
  /** Unload it after this time without requests; null or 0: never. */
  idle_ttl_s?: number | null;
  /** How it is served; null: as its header says. */
  kind?: "chat" | "embedding" | "rerank" | null;
  /** Keep it in memory once it is loaded; null: false. */
  is_pinned?: boolean | null;
  /** Priority of its requests; null: the default applies. */
  priority?: "batch" | "interactive" | null;
  /** Keep the prompts of its conversations while it is not in memory; null: where that does not slow down swaps. */
  keep_conversations?: boolean | null;
}

/** A model at one node. */
export interface ModelCopy {
  node: string;
  /** Its name there: the same file can have several. */
  name: string;
  /** `loading`, `ready`, `draining` or `stopping`; null if not in memory. */
  state: string | null;
}

/** How a model of the catalogue fits, with its own context and slots. */
export interface ModelFit {
  model_id: number;
  model_name: string;
  /** Whether it fits now; a model in memory does. */
  fit: FitVerdict;
  /** With `slots` slots; null without all its files. */
  need: Need | null;
  /** Number of requests that it would serve at a time. */
  slots: number | null;
  /** Context of each request, in tokens. */
  context: number;
  /** The reason of `fit`, as a sentence. */
  reason: string;
}

/** How the models of the catalogue fit. */
export interface ModelFits {
  memory: Memory;
  /** In the order in which the models were added. */
  fits: Array<ModelFit>;
}

/** The catalogue. */
export interface Models {
  /** In the order in which they were added. */
  models: Array<Model>;
}

/** Nodes that have different files under one name. */
export interface NameConflict {
  name: string;
  /** The nodes with the file that the name stands for. */
  served: Array<string>;
  /** The nodes with another file, which is not served under the name. */
  others: Array<string>;
  /** The conflict, and what ends it, as a sentence. */
  message: string;
  /** What ends it, on the machines of `others`. */
  command: string;
}

/** Estimated memory of a model. */
export interface Need {
  weights_bytes: number;
  kv_bytes: number;
  compute_bytes: number;
  overhead_bytes: number;
  left_behind_bytes: number;
  /** Whether the model's architecture was read from a file header; otherwise it is estimated. */
  is_exact: boolean;
  total_bytes: number;
}

/** A download to start. */
export interface NewDownload {
  /** `REPO[:QUANT][@REVISION]`, `REPO/FILE.gguf[@REVISION]` or `https://…/FILE.gguf`, as for `gglib pull`. */
  target: string;
}

/** The data of an event ``lines``. */
export interface NewLogLines {
  lines: Array<LogLine>;
  /** Lines before these that are left out: too many were written at once. */
  skipped: number;
}

/** A model to add. */
export interface NewModel {
  /** Path of a GGUF file, or any shard of it, on the server's machine. The file is not moved. */
  path: string;
  /** Name of the model. Default: derived from the file name. */
  name?: string | null;
  /** Further names. */
  aliases?: Array<string> | null;
}

/** A profile: defaults for the fields that a request does not set. */
export interface NewProfile {
  /** Shown in the list of models. */
  description?: string;
  /** System prompt of requests without one. */
  system?: string | null;
  /** Values of request fields, by name. */
  defaults?: Record<string, unknown>;
  /** Members of `chat_template_kwargs`, by name. */
  template_kwargs?: Record<string, unknown>;
  /** Fields that are removed from requests, even if set. */
  strip?: Array<string>;
}

/** A gglib that requests are sent to. What only a node that answers has is empty while it does not. */
export interface Node {
  name: string;
  /** Whether it is the machine of this server. */
  is_own: boolean;
  /** Its address; null for the machine of this server. */
  url: string | null;
  /** As `gglib node list` shows it. */
  state: "down" | "draining" | "ready" | "refused" | "unknown";
  /** Why it cannot be used, as a sentence; null if it can be. */
  failure: string | null;
  /** Of its gglib; null if unknown. */
  version: string | null;
  /** Seconds since its last status arrived; null if none did. */
  seen_s: number | null;
  /** Its catalogue, also while it does not answer. */
  models: Array<NodeModel>;
  /** Its models in memory. */
  residents: Array<ResidentStatus>;
  /** Memory budget of its models, by device; empty if memory is not limited. */
  limits: Record<string, number>;
  /** Sum of the sizes of its models in memory, by device. */
  used: Record<string, number>;
  /** Memory of its machine, by device. */
  devices: Record<string, DeviceMemory>;
  /** Requests that wait there, those of other clients among them. */
  waiting: number;
  /** Requests that its engines serve, those of other clients too. */
  in_flight: number;
  /** Requests in progress that this server has sent there. */
  requests: number;
}

/** A model in the catalogue of a node. */
export interface NodeModel {
  /** Its name at the node. */
  name: string;
  size_bytes: number | null;
  /** `loading`, `ready`, `draining` or `stopping`; null if not in memory. */
  state: string | null;
}

/** The nodes of a server. */
export interface Nodes {
  /** The machine of this server first; empty if it has no other nodes. */
  nodes: Array<Node>;
  conflicts: Array<NameConflict>;
}

/** The processor of a machine. */
export interface Processors {
  name: string | null;
  count: number;
  usable: number;
}

/** Defaults for the fields that a request for `MODEL:PROFILE` does not set. */
export interface Profile {
  name: string;
  /** Name of its model; null: it belongs to all models. */
  model: string | null;
  description: string;
  /** System prompt of requests without one. */
  system: string | null;
  /** Values of request fields, by name. */
  defaults: Record<string, unknown>;
  /** Members of `chat_template_kwargs`, by name. */
  template_kwargs: Record<string, unknown>;
  /** Fields that are removed from requests. */
  strip: Array<string>;
}

/** All profiles. */
export interface Profiles {
  /** In the order in which they were added. */
  profiles: Array<Profile>;
}

/** Whether the server is ready for new requests; the status of the response is 503 unless it is. */
export interface Ready {
  status: "draining" | "ready" | "starting";
}

/** What a reload changed. */
export interface Reloaded {
  settings: Array<SettingChange>;
  /** Models in memory whose options changed: unloaded after their requests. */
  replaced_models: Array<string>;
  warnings: Array<string>;
}

/** A model that a server elsewhere serves, and the state of that server. Times in seconds. */
export interface RemoteStatus {
  model_id: number;
  model_name: string;
  host: string;
  in_flight: number;
  is_reachable: boolean | null;
  last_failure: string;
  failed_ago_s: number | null;
}

/** What the removal of a model with its files would delete. */
export interface RemovalPreview {
  freed_bytes: number;
  /** Paths of the files that would be deleted. */
  deleted: Array<string>;
  /** Files that would not be deleted. */
  kept: Array<KeptFile>;
}

/** A removed model and its files. */
export interface RemovedModel {
  removed: Model;
  /** Paths of the deleted files. */
  deleted: Array<string>;
  freed_bytes: number;
  /** Files that were not deleted. */
  kept: Array<KeptFile>;
}

/** A repository of the hub, with the fit of its models on this machine. */
export interface Repository {
  /** `owner/name`. */
  repo: string;
  /** The commit. */
  revision: string;
  downloads: number;
  likes: number;
  /** Unix time in seconds. */
  updated_at: number | null;
  licence: string | null;
  gate: Gating;
  tags: Array<string>;
  architecture: string | null;
  parameter_count: number | null;
  /** In tokens. */
  trained_context: number | null;
  /** Context for the memory estimate, in tokens. */
  context: number;
  /** Label of the model that gglib would pull. */
  suggested: string | null;
  /** Smallest first. */
  variants: Array<Variant>;
  projectors: Array<File>;
  /** Models with missing shards. */
  incomplete: Array<string>;
  pieces: Array<string>;
  /** File names that gglib does not use on this machine. */
  unsafe: Array<string>;
}

/** One request: in progress, or stored. If an id was used twice, it may be both. */
export interface RequestDetails {
  running: RunningRequest | null;
  request: StoredRequest | null;
  /** Null if they were not recorded. */
  bodies: BodyTexts | null;
}

/** Requests in progress, and a page of the stored ones. */
export interface Requests {
  /** Oldest first; only without `before`. */
  running: Array<RunningRequest>;
  /** Newest first. */
  requests: Array<StoredRequest>;
  /** `before` of the next page; null after the last. */
  next_before: number | null;
  /** Whether requests are not stored: `history = false`. */
  is_off: boolean;
}

/** A model that is loading, loaded, or being unloaded. Times in seconds. */
export interface ResidentStatus {
  model_id: number;
  model_name: string;
  state: string;
  effective_ctx: number;
  in_flight: number;
  slots: number | null;
  pid: number | null;
  uptime_s: number | null;
  load_time_s: number | null;
  loading_for_s: number | null;
  expected_load_s: number | null;
  idle_ttl_s: number | null;
  idle_s: number | null;
  size: Record<string, number>;
  is_measured: boolean;
  estimated_size: Record<string, number>;
  measured_size: Record<string, number>;
  is_pinned: boolean;
  threads: number | null;
  restored: KeptTransfer | null;
  kept_off_reason: string | null;
  keep_hint: string | null;
}

/** A request in progress. Times in seconds. */
export interface RunningRequest {
  request_id: string;
  route: string;
  state: string;
  age_s: number;
  model: string | null;
  requested_model: string | null;
  profile: string | null;
  key: string | null;
  client: string | null;
  address: string | null;
  is_streamed: boolean;
  waited_s: number | null;
  chunks: number;
}

/** The result of a search. */
export interface SearchResult {
  query: string;
  memory: Memory;
  /** Best first. */
  repositories: Array<Repository>;
  /** Number of omitted repositories: without a model to pull, or none within `max_size`. */
  left_out: number;
}

/** A setting whose value differs from that of the running server. */
export interface SettingChange {
  /** Its name in `config.toml`. */
  setting: string;
  /** The value in use before; null for access keys. */
  old: string | null;
  /** The value now; null for access keys. */
  new: string | null;
  /** False: it takes effect at the next start of the server. */
  applied: boolean;
}

/** All settings of a server. */
export interface SettingTable {
  path: string;
  settings: Array<SettingValue>;
}

/** A setting in use, and where its value comes from. */
export interface SettingValue {
  setting: string;
  value: unknown;
  shown: string;
  source: string;
  overrides: Array<string>;
  is_live: boolean;
  help: string;
}

/** A file in the details of a repository. */
export interface ShownFile {
  name: string;
  size_bytes: number;
  /** SHA-256 of the content, in hexadecimal. */
  sha256: string | null;
  kind: FileKind;
  /** Label of the variant that the file belongs to. */
  label: string | null;
  unsafe: boolean;
}

/** A repository with all its files. */
export interface ShownRepository {
  /** `owner/name`. */
  repo: string;
  /** The commit. */
  revision: string;
  downloads: number;
  likes: number;
  /** Unix time in seconds. */
  updated_at: number | null;
  licence: string | null;
  gate: Gating;
  tags: Array<string>;
  architecture: string | null;
  parameter_count: number | null;
  /** In tokens. */
  trained_context: number | null;
  /** Context for the memory estimate, in tokens. */
  context: number;
  /** Label of the model that gglib would pull. */
  suggested: string | null;
  /** Smallest first. */
  variants: Array<Variant>;
  projectors: Array<File>;
  /** Models with missing shards. */
  incomplete: Array<string>;
  pieces: Array<string>;
  /** File names that gglib does not use on this machine. */
  unsafe: Array<string>;
  memory: Memory;
  files: Array<ShownFile>;
}

/** Origin of a model's files; all fields are null for files that the user added. */
export interface Source {
  origin: string | null;
  repo: string | null;
  /** The commit. */
  revision: string | null;
  /** The requested branch, tag or commit; null: the latest. */
  asked_revision: string | null;
  /** The URL without its query, which may contain a signature. */
  url: string | null;
  file: string | null;
  /** SHA-256 of the content, in hexadecimal. */
  sha256: string | null;
}

/** Models in memory, waiting requests, the last swap, and counts since the start. */
export interface Status {
  version: string;
  residents: Array<ResidentStatus>;
  waiting: Array<WaitingStatus>;
  failed: Array<FailedModel>;
  last_swap: SwapStatus | null;
  swaps: Array<SwapCount>;
  loads: Array<LoadCount>;
  /** Memory budget of all models together, by device; empty if memory is not limited. */
  limits: Record<string, number>;
  /** Sum of the sizes of the models in memory, by device. */
  used: Record<string, number>;
  /** How two models that were swapped repeatedly could both stay. */
  hint: string | null;
  /** Memory of the machine, by device, as of some seconds ago; empty if unknown. */
  devices: Record<string, DeviceMemory>;
  /** Models of servers elsewhere that were used since the start; they are never loaded. */
  remotes: Array<RemoteStatus>;
  /** Random id of this run of the server: another one after each start. */
  instance: string;
  /** As `GET /ready` shows it. */
  readiness: "draining" | "ready" | "starting";
  /** Prompts that were saved and restored since the start, and their files; null if none are kept. */
  kept: KeptTotals | null;
}

/** The unloaded models. */
export interface Stopped {
  /** Names of the models that were in memory. */
  stopped: Array<string>;
}

/** A finished request of the history. Times in seconds; ``RequestRecord`` describes the fields. */
export interface StoredRequest {
  id: number | null;
  request_id: string;
  ended_at_s: number;
  route: string;
  status: number | null;
  model: string | null;
  requested_model: string | null;
  profile: string | null;
  key: string | null;
  client: string | null;
  address: string | null;
  error: string | null;
  error_message: string | null;
  is_streamed: boolean;
  waited_s: number | null;
  first_byte_s: number | null;
  duration_s: number;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  cached_tokens: number | null;
  tokens_per_s: number | null;
  swap: string | null;
  node: string | null;
  has_bodies: boolean;
  count: number;
}

/** Number of finished swaps with one reason, since the start. */
export interface SwapCount {
  reason: string;
  count: number;
}

/** A finished swap: one change of the models in memory. Times in seconds. */
export interface SwapStatus {
  from_model: string | null;
  to_model: string | null;
  why: string;
  request_id: string | null;
  waited_s: number;
  drain_s: number;
  stop_s: number;
  load_s: number;
  total_s: number;
  error: string | null;
  ago_s: number;
  ended_at: number | null;
  saved: KeptTransfer | null;
  restored: KeptTransfer | null;
}

/** The last finished swaps since the start, newest first. */
export interface Swaps {
  swaps: Array<SwapStatus>;
}

/** The server, and the machine that it runs on. */
export interface System {
  version: string;
  /** Version of Python. */
  python: string;
  platform: string;
  /** Unix time in seconds. */
  started_at: number;
  uptime_s: number;
  home: string;
  processors: Processors;
  memory: Memory;
  /** The file system of the home. */
  disk: DiskSpace;
  engine: EngineFacts;
  /** The base URL for clients on this machine. */
  url: string;
  keys_required: boolean;
}

/** Options for unloading a model. */
export interface UnloadOptions {
  /** The node, by its name in `GET /gglib/nodes`. Default: the machine of this server, or the only node that has the model. */
  node?: string | null;
}

/** The unloaded models, and where they were. */
export interface Unloaded {
  /** Names of the models that were in memory. */
  stopped: Array<string>;
  /** The node; null for the machine of this server. */
  node: string | null;
}

/** A model compared with its source. */
export interface Update {
  model_name: string;
  /** The repository, or the URL without its query. */
  repo: string;
  state: Upstream;
  /** The commit. */
  old_revision: string | null;
  /** The commit. */
  new_revision: string | null;
  /** The `target` of the newest files for `POST /gglib/downloads`; null for a URL with a query. */
  pull: string | null;
  /** Of the model as it is here. */
  size_bytes: number | null;
  /** Of the changed files; null if unknown. */
  new_size_bytes: number | null;
  changes: Array<FileChange>;
  /** Why it is gone, pinned or unchecked. */
  reason: string | null;
}

/** All models that have a source. */
export interface Updates {
  updates: Array<Update>;
}

/** The state of a model compared with its source. */
export type Upstream = "changed" | "current" | "gone" | "pinned" | "unchecked" | "unknown";

/** Usage by group, and its sum. */
export interface Usage {
  /** Sorted by the fields of `by`. */
  usage: Array<UsageRow>;
  total: UsageRow;
}

/** The usage of one group. A field that it is not grouped by is None. */
export interface UsageRow {
  start_s: number | null;
  key: string | null;
  model: string | null;
  client: string | null;
  requests: number;
  failed: number;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  busy_s: number;
}

/** One model of a repository. */
export interface Variant {
  label: string;
  /** The `target` of this model for `POST /gglib/downloads`. */
  pull: string;
  quantization: string | null;
  size_bytes: number;
  /** Whether it fits this machine now. */
  fit: Fit;
  /** Number of requests that it would serve at a time. */
  slots: number;
  need: Need;
  /** In shard order. */
  files: Array<File>;
}

/** Data of the event `result`. */
export interface Verification {
  /** In shard order, then the projector. */
  checks: Array<FileCheck>;
}

/** The waiting requests of one model. Times in seconds. */
export interface WaitingStatus {
  model_name: string;
  waiting: number;
  longest_wait_s: number;
  runs_in_s: number | null;
  is_minimum: boolean;
  waits_for: string;
}

/** Whether a forwarded request was withdrawn. */
export interface WithdrawnRequest {
  /** False if it is unknown, or does not wait for its model any more. */
  withdrawn: boolean;
}
