import { open } from "tokenkeep";

const options = await (await fetch("/config.json")).json();
const auth = await open(options);

const show = (id, text) => (document.getElementById(id).textContent = text);
const render = () =>
  show("session", auth.session.status === "signed_in" ? `signed in as ${auth.session.claims.name}, kept in ${auth.keep}` : auth.session.status);
auth.subscribe(render);
render();

document.getElementById("sign-in").onclick = () => auth.signIn();
document.getElementById("sign-out").onclick = () => auth.signOut();
document.getElementById("call").onclick = async () => {
  const answer = await auth.fetch(`${options.api}me`);
  show("answer", `${answer.status} ${(await answer.json()).sub}`);
};
