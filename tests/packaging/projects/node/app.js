import { open } from "tokenkeep";

const auth = await open({ issuer: "https://login.example.com", clientId: "my-app", api: "https://api.example.com/" });
const told = [];
for (const work of [
  () => auth.signIn(),
  () => auth.finishSignIn(),
  () => auth.fetch("https://api.example.com/"),
  () => auth.fetch("/relative"),
  () => auth.userInfo(),
  () => auth.renew(),
  () => auth.signOut(),
  () => auth.frontChannelLogout(),
]) {
  told.push(
    await work().then(
      () => "done",
      (error) => error.code,
    ),
  );
}
console.log(JSON.stringify({ session: auth.session, told }));
