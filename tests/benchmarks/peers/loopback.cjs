// The gateway listens on every interface and has no option for it: keep it to this machine.
const { Server } = require("node:net");
const listen = Server.prototype.listen;

Server.prototype.listen = function (port, host, ...rest) {
  return listen.call(this, port, host ?? "127.0.0.1", ...rest);
};
