-- One request over and over. Arguments: method, path, access token or "-", JSON body or "-".
require("report")

function init(args)
  local method, path, token, body = args[1], args[2], args[3], args[4]
  local lines = { method .. " " .. path .. " HTTP/1.1", "host: duet.example" }
  if token ~= "-" then lines[#lines + 1] = "authorization: Bearer " .. token end
  if body == "-" then
    body = ""
  else
    lines[#lines + 1] = "content-type: application/json"
    lines[#lines + 1] = "content-length: " .. #body
  end
  text = table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

function request()
  return text
end
