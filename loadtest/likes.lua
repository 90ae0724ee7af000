-- Requests of wrk for likes.ts: ever new pairs, one in ten answered at once.
-- Arguments: the file of people (one "id token" a line), and from which distance on people are paired.
require("report")

local people, step, i, back = {}, 0, 0, nil

function init(args)
  for line in io.lines(args[1]) do
    local id, token = line:match("^(%S+) (%S+)$")
    people[#people + 1] = { id = id, token = token }
  end
  step = tonumber(args[2])
end

local function like(actor, target)
  return "POST /api/v1/matches/like/" .. target.id .. " HTTP/1.1\r\nhost: duet.example\r\nauthorization: Bearer "
    .. actor.token .. "\r\ncontent-length: 0\r\n\r\n"
end

function request()
  if back then
    local answer = back
    back = nil
    return answer
  end
  i = i + 1
  if i > #people then
    i, step = 1, step + 1
  end
  local one, other = people[i], people[(i + step - 1) % #people + 1]
  if i % 10 == 0 then back = like(other, one) end
  return like(one, other)
end
