# SPDX-License-Identifier: MIT
# A Rack application that refuses an upload without reading it.
run lambda { |_| [413, { 'Content-Type' => 'text/plain', 'Content-Length' => '204800' }, ['x' * 204_800]] }
