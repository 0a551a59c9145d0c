// A PushManager that behaves, with no service behind it: what is subscribed outlives the page, holds under one
// key, needs permission, and its keys are real.

(() => {
  const UNDER = "pushed-under";
  const text = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const bytes = (under) => Uint8Array.from(atob(under.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

  class Subscription {
    constructor(under, told) {
      this.options = { userVisibleOnly: true, applicationServerKey: bytes(under).buffer };
      this.told = told;
    }

    toJSON() {
      return this.told;
    }

    async unsubscribe() {
      localStorage.removeItem(UNDER);
      return true;
    }
  }

  const made = async () => {
    if (window.pushedTo) return window.pushedTo;
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const keys = {
      p256dh: text(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))),
      auth: text(crypto.getRandomValues(new Uint8Array(16))),
    };
    return { endpoint: `https://push.example.org/${crypto.randomUUID()}`, expirationTime: null, keys };
  };

  const found = () => {
    const under = localStorage.getItem(UNDER);
    return under && new Subscription(under, JSON.parse(localStorage.getItem("pushed-to")));
  };

  PushManager.prototype.getSubscription = async () => found() || null;
  PushManager.prototype.subscribe = async (options) => {
    if (Notification.permission !== "granted" || localStorage.getItem("push-refuses")) throw new DOMException("no", "NotAllowedError");
    if (!options.userVisibleOnly) throw new DOMException("silent pushes are not allowed", "NotAllowedError");
    const under = text(new Uint8Array(options.applicationServerKey));
    if (bytes(under).length !== 65) throw new DOMException("no key", "InvalidAccessError");
    if (found() && localStorage.getItem(UNDER) !== under) throw new DOMException("another key", "InvalidStateError");
    if (!found()) localStorage.setItem("pushed-to", JSON.stringify(await made()));
    localStorage.setItem(UNDER, under);
    return found();
  };
})();
