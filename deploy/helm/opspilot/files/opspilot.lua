-- Names the service that wrote a record, in `fb_source`, which also becomes the Kafka key.
-- Comes in: a record of tail, systemd or Kubernetes. Goes out: the same with `fb_source`
-- (`service` or `namespace/service`) and, where known, `instance`. A container with the label
-- opspilot.logs=ignore is left out, so that no error of the pipeline feeds the pipeline.

local KEEP, DROP, CHANGED = 0, -1, 2
local IGNORE_LABEL, IGNORE_VALUE = "opspilot.logs", "ignore"
-- A container that is just being made has no description yet: ask again, but not for each line.
local ASK_AGAIN_SECONDS = 5

local known = {}

local function named(record, service, instance)
  record["fb_source"] = service
  if instance ~= nil and record["instance"] == nil then
    record["instance"] = instance
  end
  return record
end

-- /var/log/opspilot/shop/checkout.log -> shop/checkout; checkout.log.1 -> checkout
function from_path(tag, timestamp, record)
  local path = record["fb_path"]
  if type(path) ~= "string" then
    return KEEP, timestamp, record
  end
  local root = os.getenv("OPSPILOT_LOG_ROOT") or "/var/log/opspilot/"
  local name = path
  if path:sub(1, #root) == root then
    name = path:sub(#root + 1)
  else
    name = path:match("([^/]+)$") or path
  end
  name = name:gsub("^/+", ""):gsub("%.%d+$", ""):gsub("%-%d%d%d%d%d%d%d%d$", "")
  name = name:gsub("%.log$", ""):gsub("%.txt$", "")
  return CHANGED, timestamp, named(record, name, os.getenv("OPSPILOT_HOST"))
end

-- In a JSON text the quotes of a value are escaped, so that no environment variable of a
-- container can look like one of its labels.
local function text_of(json, key)
  return json:match('"' .. key:gsub("[%.%-]", "%%%0") .. '":"([^"\\]*)"')
end

local function describe(path)
  local file = io.open(path, "r")
  if file == nil then
    return nil
  end
  local json = file:read("*a")
  file:close()
  local service = text_of(json, "com.docker.compose.service")
  local project = text_of(json, "com.docker.compose.project")
  if service ~= nil and project ~= nil then
    service = project .. "/" .. service
  end
  return {
    service = service or json:match('"Name":"/([^"\\]+)"'),
    ignored = text_of(json, IGNORE_LABEL) == IGNORE_VALUE,
  }
end

-- /var/lib/docker/containers/ID/ID-json.log: the name stands in config.v2.json beside it.
function from_container(tag, timestamp, record)
  local path = record["fb_path"]
  if type(path) ~= "string" then
    return KEEP, timestamp, record
  end
  local folder, id = path:match("^(.*/(%x+))/[^/]+$")
  if id == nil then
    return KEEP, timestamp, record
  end
  local about = known[id]
  if about == nil or (about.ask_at ~= nil and os.time() >= about.ask_at) then
    about = describe(folder .. "/config.v2.json")
      or { ask_at = os.time() + ASK_AGAIN_SECONDS }
    known[id] = about
  end
  if about.ignored then
    return DROP, timestamp, record
  end
  local short = id:sub(1, 12)
  return CHANGED, timestamp, named(record, about.service or short, short)
end

-- The journal: sshd.service -> sshd
function from_unit(tag, timestamp, record)
  local unit = record["_SYSTEMD_UNIT"] or record["SYSLOG_IDENTIFIER"]
  if type(unit) ~= "string" then
    return KEEP, timestamp, record
  end
  return CHANGED, timestamp, named(record, (unit:gsub("%.service$", "")), record["_HOSTNAME"])
end

-- What the kubernetes filter found: the usual labels, else the container's name.
function from_kubernetes(tag, timestamp, record)
  local about = record["kubernetes"]
  if type(about) ~= "table" then
    return KEEP, timestamp, record
  end
  local labels = type(about["labels"]) == "table" and about["labels"] or {}
  if labels[IGNORE_LABEL] == IGNORE_VALUE then
    return DROP, timestamp, record
  end
  local service = labels["app.kubernetes.io/name"] or labels["app"] or labels["k8s-app"]
    or about["container_name"] or "unknown"
  local namespace = about["namespace_name"] or "default"
  return CHANGED, timestamp, named(record, namespace .. "/" .. service, about["pod_name"])
end
