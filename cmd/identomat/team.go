package main

import (
	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

func (a *app) groupsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "groups",
		Short: "Manage the groups of the dashboard's users",
		Example: `  identomat groups list
  identomat groups create "Call center" --member 64f0c3 --member 64f0c4`,
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the groups",
		Example: `  identomat groups list`,
		Args:    takes(),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, _ []string) error {
			groups, err := client.Groups.List(cmd.Context())
			if err != nil {
				return err
			}
			p := a.list("ID=id Name=name Members=members.username").masked(paths("id name members.id"))
			for _, group := range groups {
				if err := p.add(group.Raw()); err != nil {
					return err
				}
			}
			return p.close()
		}),
	}
	var members []string
	var name string
	create := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a group",
		Example: `  identomat groups create "Call center" --member 64f0c3`,
		Args:    takes("NAME"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			id, err := client.Groups.Create(cmd.Context(), identomat.CreateGroupRequest{Name: args[0], MemberIDs: members})
			if err != nil {
				return maybe(err, "The group may exist now. Run \"identomat groups list\" to see.")
			}
			return a.show(map[string]string{"id": id}, "ID=id", nil)
		}),
	}
	update := &cobra.Command{
		Use:     "update ID",
		Short:   "Rename a group, or replace its members",
		Example: `  identomat groups update 64f0c9 --name Support --member 64f0c3`,
		Args:    takes("ID"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			if err := client.Groups.Update(cmd.Context(), args[0], identomat.UpdateGroupRequest{Name: name, MemberIDs: members}); err != nil {
				return err
			}
			return a.show(map[string]string{"updated": args[0]}, "Updated=updated", nil)
		}),
	}
	update.Flags().StringVar(&name, "name", "", "the new `name`")
	for _, c := range []*cobra.Command{create, update} {
		c.Flags().StringArrayVar(&members, "member", nil, "the `ID` of a user in the group; can be repeated")
	}
	remove := &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a group",
		Example: `  identomat groups delete 64f0c9`,
		Args:    takes("ID"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			if err := a.confirm(cmd, "this deletes the group"); err != nil {
				return err
			}
			if err := client.Groups.Delete(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.show(map[string]string{"deleted": args[0]}, "Deleted=deleted", nil)
		}),
	}
	a.confirmFlag(remove)
	cmd.AddCommand(list, create, update, remove)
	return cmd
}

func (a *app) usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "users",
		Short: "Manage the dashboard's users",
		Example: `  identomat users list
  identomat users create ana@bank.example --right operator < password.txt`,
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: `  identomat users list --reveal`,
		Args:    takes(),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, _ []string) error {
			users, err := client.Users.List(cmd.Context())
			if err != nil {
				return err
			}
			p := a.list("ID=id User=username Rights=roles").masked(paths("id roles"))
			for _, user := range users {
				if err := p.add(user.Raw()); err != nil {
					return err
				}
			}
			return p.close()
		}),
	}
	var first, last string
	var rights []string
	create := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Create a user, with the password from standard input",
		Long: `Create a user. The password is read from standard input, or asked for on a terminal.

Rights: administrator, operator, call_center_operator.`,
		Example: `  identomat users create ana@bank.example --right operator < password.txt`,
		Args:    takes("EMAIL"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			password, err := a.readSecret(cmd, "password")
			if err != nil {
				return err
			}
			request := identomat.CreateUserRequest{Email: args[0], Password: identomat.Password(password), FirstName: first, LastName: last}
			for _, right := range rights {
				request.Rights = append(request.Rights, identomat.UserRight(right))
			}
			id, err := client.Users.Create(cmd.Context(), request)
			if err != nil {
				return maybe(err, "The user may exist now. Run \"identomat users list\" to see.")
			}
			return a.show(map[string]string{"id": id}, "ID=id", nil)
		}),
	}
	create.Flags().StringVar(&first, "first-name", "", "the user's first `name`")
	create.Flags().StringVar(&last, "last-name", "", "the user's last `name`")
	create.Flags().StringArrayVar(&rights, "right", nil, "a `right` of the user; can be repeated")
	cmd.AddCommand(list, create)
	return cmd
}
