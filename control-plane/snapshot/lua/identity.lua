-- Says who calls, in headers that the parts behind it read. It runs behind jwt_authn, which has put the claims of a
-- verified token into the request's metadata; without a token it does nothing. Its settings are written by
-- filter_identity.go.

-- A claim is found by its whole name first, because names may be URLs, and then as a path with dots.
local function claim(claims, name)
  if name == "" then
    return nil
  end
  if claims[name] ~= nil then
    return claims[name]
  end
  local value = claims
  for part in string.gmatch(name, "[^.]+") do
    if type(value) ~= "table" then
      return nil
    end
    value = value[part]
  end
  return value
end

-- Whatever could end a header or a list, or look like another value, is percent-encoded.
local function plain(text)
  return (string.gsub(text, "[^%w%-._~!$&'()*+/:;=?@|#^`{}\\[%]\"<>]", function(c)
    return string.format("%%%02X", string.byte(c))
  end))
end

local function text(value)
  if type(value) == "number" and value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return string.format("%.0f", value)
  end
  if type(value) == "string" and value ~= "" then
    return plain(value)
  end
  return nil
end

local function list(value)
  if type(value) ~= "table" then
    return text(value)
  end
  local out = {}
  for _, item in ipairs(value) do
    local one = text(item)
    if one ~= nil then
      out[#out + 1] = one
    end
  end
  if #out == 0 then
    return nil
  end
  return table.concat(out, ",")
end

-- Returns "known" for who is let in, and for who is for another filter to judge; else the setting with the answer.
local function identify(request, settings)
  local verified = request:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local claims = verified and verified["claims"]
  if claims == nil then
    return "known"
  end
  -- RFC 7515, 4.1.11: who does not know what a signature demands must refuse it, and jwt_authn does not look.
  if verified["header"] == nil or verified["header"]["crit"] ~= nil then
    return "critical"
  end
  local issuer = settings:get("issuers")[claims["iss"]]
  local user = text(claim(claims, settings:get("user_claim")))
  if issuer == nil or user == nil then
    return "nobody"
  end
  local headers = request:headers()
  headers:remove("authorization")
  headers:remove("cookie")
  headers:replace(settings:get("caller_header"), "oidc:" .. issuer .. "/" .. user)
  local groups = list(claim(claims, settings:get("groups_claim")))
  if groups ~= nil then
    headers:replace(settings:get("groups_header"), groups)
  else
    headers:remove(settings:get("groups_header"))
  end
  return "known"
end

function envoy_on_request(request)
  local settings = request:filterContext()
  -- Envoy lets a request go on when its script fails: a defect here must not make one that has no name. What is caught
  -- may be no text, and that would be the next failure.
  local ran, why = pcall(identify, request, settings)
  if not ran then
    request:logErr(tostring(why))
  end
  if not ran or why ~= "known" then
    local body = settings:get(why == "critical" and why or "nobody")
    local headers = { [":status"] = "401", ["content-type"] = "application/json", ["www-authenticate"] = 'Bearer error="invalid_token"' }
    request:respond(headers, body)
  end
end
